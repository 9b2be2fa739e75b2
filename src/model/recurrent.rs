//! What mixes the rows of a decoder's layer in place of attention, and remembers no more for a longer past.

use super::{block::linear, config::DeltaSizes};
use crate::graph::{Act, Builder, NormKind, StateId, Value};

/// Under the root of a key's squares, where a key's length is made one (Qwen3.5's own, in no file).
const UNIT_EPS: f32 = 1e-6;

/// A gated short convolution (LFM2, transformers `lfm2/modeling_lfm2.py`): out(c ⊙ convolution(b ⊙ x)).
pub fn short_convolution(
    g: &mut Builder,
    h: Value,
    part: &dyn Fn(&str) -> String,
    taps: usize,
    state: StateId,
) -> Value {
    let width = g.width(h);
    let all = linear(g, h, &part("shortconv.in_proj"), [3 * width, width], false);
    let [b, c, x] = [0, 1, 2].map(|at| g.columns(all, 1, at * width, width));
    let x = g.gate(b, x, None);
    let kernel = g.weight(part("shortconv.conv.weight"), [width, taps]);
    let x = g.convolve(x, kernel, state);
    let x = g.gate(c, x, None);
    linear(g, x, &part("shortconv.out_proj"), [width, width], false)
}

/// A gated delta net (Qwen3.5, transformers `qwen3_5/modeling_qwen3_5.py`; tensors as llama.cpp's `qwen35` has them).
pub fn delta_net(
    g: &mut Builder,
    h: Value,
    eps: f32,
    c: &DeltaSizes,
    part: &dyn Fn(&str) -> String,
    [conv_state, state]: [StateId; 2],
) -> Value {
    let width = g.width(h);
    let (keys, values) = (c.key_heads * c.key, c.heads * c.value);
    let x = linear(g, h, &part("attn_qkv"), [2 * keys + values, width], false);
    let gate = linear(g, h, &part("attn_gate"), [values, width], false);
    let (weight, bias) =
        (g.weight(part("ssm_alpha.weight"), [c.heads, width]), g.weight(part("ssm_dt.bias"), [1, c.heads]));
    let step = g.linear(h, weight, Some(bias), Some(Act::Softplus));
    let weight = g.weight(part("ssm_beta.weight"), [c.heads, width]);
    let beta = g.linear(h, weight, None, Some(Act::Sigmoid));

    let kernel = g.weight(part("ssm_conv1d.weight"), [2 * keys + values, c.taps]);
    let x = g.convolve(x, kernel, conv_state);
    let x = g.act(x, Act::Silu);
    let (q, k, v) = (g.columns(x, 1, 0, keys), g.columns(x, 1, keys, keys), g.columns(x, 1, 2 * keys, values));
    // Of length one, which is √key less than a norm makes it; queries have the scale of attention besides.
    let root = (c.key as f32).sqrt();
    let mut unit = |x, by| {
        let x = g.norm(x, NormKind::Rms, None, None, UNIT_EPS / c.key as f32, c.key_heads);
        g.scale(x, by)
    };
    let (q, k) = (unit(q, 1.0 / c.key as f32), unit(k, 1.0 / root));
    let rate = g.weight(part("ssm_a"), [1, c.heads]);
    let y = g.delta([q, k, v], [step, beta], rate, [c.heads, c.key_heads], state);

    let weight = g.weight(part("ssm_norm.weight"), [1, c.value]);
    let y = g.norm(y, NormKind::Rms, Some(weight), None, eps, c.heads);
    let y = g.gate(gate, y, Some(Act::Silu));
    linear(g, y, &part("ssm_out"), [width, values], false)
}
