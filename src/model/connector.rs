//! From a view's features to rows of the decoder.

use super::{
    block::{linear, norm},
    config::ConnectorConfig,
    vision::{KEY_POSITIONS, QUERY_POSITIONS},
};
use crate::graph::{Builder, Mask, NormKind, Rows, Value};

/// Learned queries attend once to the features; keys and queries carry positions, values do not
/// (LLaVA-UHD, arXiv 2403.11703; tensors named as MiniCPM-V's in llama.cpp).
pub fn resampler(g: &mut Builder, x: Value, rows: Rows, c: &ConnectorConfig) -> Value {
    let ConnectorConfig::Resampler { queries, heads, width, eps, .. } = *c;
    g.scope("resampler");
    let layer_norm = |g: &mut Builder, x, name: &str| norm(g, x, NormKind::Layer, name, eps);
    let square = [width, width];

    let features = g.width(x);
    let v = linear(g, x, "resampler.kv", [width, features], false);
    let v = layer_norm(g, v, "resampler.ln_kv");
    let positions = g.input(KEY_POSITIONS, rows, width);
    let k = g.add(v, positions);

    let q = g.weight("resampler.query", [queries, width]);
    let q = g.constant(q);
    let q = layer_norm(g, q, "resampler.ln_q");
    let positions = g.input(QUERY_POSITIONS, Rows::Fixed(queries), width);
    let q = g.add(q, positions);

    let q = linear(g, q, "resampler.attn.q", square, true);
    let k = linear(g, k, "resampler.attn.k", square, true);
    let v = linear(g, v, "resampler.attn.v", square, true);
    let o = g.attend([q, k, v], heads, heads, Mask::Full);
    let o = linear(g, o, "resampler.attn.out", square, true);
    let o = layer_norm(g, o, "resampler.ln_post");
    let y = linear(g, o, "resampler.proj", square, false);
    g.name(y, "resampler")
}
