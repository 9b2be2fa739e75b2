//! The transformer layer, once: what mixes the rows, then the feed-forward network, for vision and for text.

use super::{
    config::{Bias, LayerConfig, Mixer},
    recurrent::{delta_net, short_convolution},
};
use crate::graph::{Act, Builder, CacheId, Mask, NormKind, StateId, Turn, Value, WeightId};

/// What the parts of a layer are called in a file.
pub struct Names {
    pub prefix: &'static str,
    pub attention_norm: &'static str,
    pub attention_out: &'static str,
    pub ffn_norm: &'static str,
    pub ffn_up: &'static str,
    pub ffn_down: &'static str,
}

/// Layer `index` on the rows `x`. A decoder's remembers all positions so far and says how it mixes them; without a mixer,
/// each row attends to all rows of this call.
pub fn block(
    g: &mut Builder,
    x: Value,
    c: &LayerConfig,
    names: &Names,
    index: usize,
    decoder: Option<&Mixer>,
) -> Value {
    let part = |name: &str| format!("{}.{index}.{name}", names.prefix);
    let memory = [2 * index, 2 * index + 1].map(|at| at as u32);
    let states = memory.map(StateId);
    g.scope(format!("{}.{index}", names.prefix));

    let h = norm(g, x, c.norm, &part(names.attention_norm), c.eps);
    let h = match decoder {
        None => attention(g, h, c, &part, names.attention_out, None),
        Some(Mixer::Attention) => attention(g, h, c, &part, names.attention_out, Some(memory.map(CacheId))),
        Some(&Mixer::Convolution { taps }) => short_convolution(g, h, &part, taps, states[0]),
        Some(Mixer::Delta(sizes)) => delta_net(g, h, c.eps, sizes, &part, states),
    };
    let x = residual(g, x, h, c);

    let h = norm(g, x, c.norm, &part(names.ffn_norm), c.eps);
    let (up, bias) = ([c.inner, c.width], c.bias == Bias::All);
    let h = if c.gated {
        let gate = linear(g, h, &part("ffn_gate"), up, bias);
        let h = linear(g, h, &part(names.ffn_up), up, bias);
        g.gate(gate, h, Some(c.act))
    } else {
        let (w, b) = weights(g, &part(names.ffn_up), up, bias);
        g.linear(h, w, b, Some(c.act))
    };
    let h = linear(g, h, &part(names.ffn_down), [c.width, c.inner], bias);
    let y = residual(g, x, h, c);
    g.name(y, format!("{}.{index}", names.prefix))
}

/// Attention; with caches for keys and values to all positions so far, causally, else to all rows of this call.
fn attention(
    g: &mut Builder,
    h: Value,
    c: &LayerConfig,
    part: &dyn Fn(&str) -> String,
    out: &str,
    caches: Option<[CacheId; 2]>,
) -> Value {
    let (wide, kv_wide) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let bias = c.bias != Bias::None;
    let (mut q, gate) = if c.gated_heads {
        // Head by head, the queries and then their gates.
        let both = linear(g, h, &part("attn_q"), [2 * wide, c.width], bias);
        let half = |g: &mut Builder, start| g.columns(both, c.heads, start, c.head_dim);
        (half(g, 0), Some(half(g, c.head_dim)))
    } else {
        (linear(g, h, &part("attn_q"), [wide, c.width], bias), None)
    };
    let mut k = linear(g, h, &part("attn_k"), [kv_wide, c.width], bias);
    let mut v = linear(g, h, &part("attn_v"), [kv_wide, c.width], bias);
    if c.head_norm {
        let mut heads_norm = |x, name: &str, heads| {
            let weight = g.weight(part(&format!("{name}.weight")), [1, c.head_dim]);
            g.norm(x, NormKind::Rms, Some(weight), None, c.eps, heads)
        };
        (q, k) = (heads_norm(q, "attn_q_norm", c.heads), heads_norm(k, "attn_k_norm", c.kv_heads));
    }
    if let Some(rope) = &c.rope {
        let factors = rope.factors.map(|name| g.weight(name, [1, rope.turned / 2]));
        let turn = Turn { kind: rope.kind, turned: rope.turned, base: rope.base, factors };
        (q, k) = (g.rope(q, c.heads, turn), g.rope(k, c.kv_heads, turn));
    }
    let mask = if let Some([keys, values]) = caches {
        k = g.store(k, keys);
        v = g.store(v, values);
        Mask::Causal
    } else {
        Mask::Full
    };
    let mut a = g.attend([q, k, v], c.heads, c.kv_heads, mask);
    if let Some(gate) = gate {
        a = g.gate(gate, a, Some(Act::Sigmoid));
    }
    linear(g, a, &part(out), [c.width, wide], c.bias == Bias::All)
}

/// x and what half a layer adds to it.
fn residual(g: &mut Builder, x: Value, h: Value, c: &LayerConfig) -> Value {
    let h = scaled(g, h, c.residual_scale);
    g.add(x, h)
}

/// x·factor, where there is one.
pub fn scaled(g: &mut Builder, x: Value, factor: Option<f32>) -> Value {
    factor.map_or(x, |factor| g.scale(x, factor))
}

/// A norm whose vectors are called `name.weight` and, for layer norms, `name.bias`.
pub fn norm(g: &mut Builder, x: Value, kind: NormKind, name: &str, eps: f32) -> Value {
    let cols = g.width(x);
    let weight = g.weight(format!("{name}.weight"), [1, cols]);
    let bias = (kind == NormKind::Layer).then(|| g.weight(format!("{name}.bias"), [1, cols]));
    g.norm(x, kind, Some(weight), bias, eps, 1)
}

/// A projection whose weights are called `name.weight` and, if there is one, `name.bias`.
pub fn linear(g: &mut Builder, x: Value, name: &str, shape: [usize; 2], bias: bool) -> Value {
    let (weight, bias) = weights(g, name, shape, bias);
    g.linear(x, weight, bias, None)
}

fn weights(g: &mut Builder, name: &str, shape: [usize; 2], bias: bool) -> (WeightId, Option<WeightId>) {
    let weight = g.weight(format!("{name}.weight"), shape);
    (weight, bias.then(|| g.weight(format!("{name}.bias"), [1, shape[0]])))
}
