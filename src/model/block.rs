//! The transformer layer, once: pre-norm attention and feed-forward network, for vision and for text.

use super::config::LayerConfig;
use crate::graph::{Builder, CacheId, Mask, NormKind, Value, WeightId};

/// What the parts of a layer are called in a file.
pub struct Names {
    pub prefix: &'static str,
    pub attention_norm: &'static str,
    pub attention_out: &'static str,
    pub ffn_norm: &'static str,
}

/// Layer `index` on the rows `x`. With caches for keys and values it attends to all positions so far, causally;
/// without, to all rows of this call.
pub fn block(
    g: &mut Builder,
    x: Value,
    c: &LayerConfig,
    names: &Names,
    index: usize,
    caches: Option<[CacheId; 2]>,
) -> Value {
    let part = |name: &str| format!("{}.{index}.{name}", names.prefix);
    g.scope(format!("{}.{index}", names.prefix));
    let (wide, kv_wide) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);

    let h = norm(g, x, c.norm, &part(names.attention_norm), c.eps);
    let mut q = linear(g, h, &part("attn_q"), [wide, c.width], c.bias);
    let mut k = linear(g, h, &part("attn_k"), [kv_wide, c.width], c.bias);
    let mut v = linear(g, h, &part("attn_v"), [kv_wide, c.width], c.bias);
    if let Some((kind, turned, base)) = c.rope {
        q = g.rope(q, kind, c.heads, turned, base);
        k = g.rope(k, kind, c.kv_heads, turned, base);
    }
    let mask = if let Some([keys, values]) = caches {
        k = g.store(k, keys);
        v = g.store(v, values);
        Mask::Causal
    } else {
        Mask::Full
    };
    let a = g.attend([q, k, v], c.heads, c.kv_heads, mask);
    let a = linear(g, a, &part(names.attention_out), [c.width, wide], c.bias);
    let x = g.add(x, a);

    let h = norm(g, x, c.norm, &part(names.ffn_norm), c.eps);
    let up = [c.inner, c.width];
    let h = if c.gated {
        let gate = linear(g, h, &part("ffn_gate"), up, c.bias);
        let h = linear(g, h, &part("ffn_up"), up, c.bias);
        g.gate(gate, h, c.act)
    } else {
        let (w, b) = weights(g, &part("ffn_up"), up, c.bias);
        g.linear(h, w, b, Some(c.act))
    };
    let h = linear(g, h, &part("ffn_down"), [c.width, c.inner], c.bias);
    let y = g.add(x, h);
    g.name(y, format!("{}.{index}", names.prefix))
}

/// A norm whose vectors are called `name.weight` and, for layer norms, `name.bias`.
pub fn norm(g: &mut Builder, x: Value, kind: NormKind, name: &str, eps: f32) -> Value {
    let cols = g.width(x);
    let weight = g.weight(format!("{name}.weight"), [1, cols]);
    let bias = (kind == NormKind::Layer).then(|| g.weight(format!("{name}.bias"), [1, cols]));
    g.norm(x, kind, weight, bias, eps, 1)
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
