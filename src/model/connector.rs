//! From a view's features to rows of the decoder.

use super::{
    block::{linear, norm},
    config::{ConnectorConfig, Projection, ResamplerPositions},
    inputs::{KEY_POSITIONS, NEIGHBOURS, QUERY_POSITIONS},
};
use crate::graph::{Act, Builder, Mask, NormKind, Rows, Value};

/// Writes the connector behind features `x` of `rows` rows.
pub fn connector(g: &mut Builder, x: Value, rows: usize, c: &ConnectorConfig) -> Value {
    match c {
        ConnectorConfig::Resampler { .. } => resampler(g, x, rows, c),
        ConnectorConfig::Mlp { side, norm, layers, act } => mlp(g, x, rows, (*side, *norm), layers, *act),
    }
}

/// Learned queries attend once to the features; keys, and in LLaVA-UHD queries, carry positions, values do not
/// (LLaVA-UHD, arXiv 2403.11703; tensors named as MiniCPM-V's in llama.cpp).
fn resampler(g: &mut Builder, x: Value, rows: usize, c: &ConnectorConfig) -> Value {
    let ConnectorConfig::Resampler { queries, heads, positions, width, eps } = *c else { return x };
    g.scope("resampler");
    let layer_norm = |g: &mut Builder, x, name: &str| norm(g, x, NormKind::Layer, name, eps);
    let square = [width, width];

    let features = g.width(x);
    let v = linear(g, x, "resampler.kv", [width, features], false);
    let v = layer_norm(g, v, "resampler.ln_kv");
    let keys = g.input(KEY_POSITIONS, Rows::Fixed(rows), width);
    let k = g.add(v, keys);

    let q = g.weight("resampler.query", [queries, width]);
    let q = g.constant(q);
    let mut q = layer_norm(g, q, "resampler.ln_q");
    if let ResamplerPositions::Spread { .. } = positions {
        let positions = g.input(QUERY_POSITIONS, Rows::Fixed(queries), width);
        q = g.add(q, positions);
    }

    let q = linear(g, q, "resampler.attn.q", square, true);
    let k = linear(g, k, "resampler.attn.k", square, true);
    let v = linear(g, v, "resampler.attn.v", square, true);
    let o = g.attend([q, k, v], heads, heads, Mask::Full);
    let o = linear(g, o, "resampler.attn.out", square, true);
    let o = layer_norm(g, o, "resampler.ln_post");
    let y = linear(g, o, "resampler.proj", square, false);
    g.name(y, "connector")
}

/// `side × side` neighbouring features side by side, perhaps normalised, then linear layers with an activation between two.
fn mlp(
    g: &mut Builder,
    x: Value,
    rows: usize,
    (side, eps): (usize, Option<f32>),
    layers: &[Projection],
    act: Act,
) -> Value {
    g.scope("mm");
    let mut x = x;
    if side > 1 {
        x = g.gather(x, NEIGHBOURS, Rows::Fixed(rows));
        x = g.fold(x, side * side);
    }
    if let Some(eps) = eps {
        x = norm(g, x, NormKind::Layer, "mm.input_norm", eps);
    }
    for (at, layer) in layers.iter().enumerate() {
        let shape = [layer.width, g.width(x)];
        let weight = g.weight(format!("{}.weight", layer.name), shape);
        let bias = layer.bias.then(|| g.weight(format!("{}.bias", layer.name), [1, layer.width]));
        x = g.linear(x, weight, bias, (at + 1 < layers.len()).then_some(act));
    }
    g.name(x, "connector")
}
