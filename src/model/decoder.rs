//! The language model: rows in, logits of the last position out.

use super::{
    block::{Names, block, norm, scaled},
    config::TextConfig,
};
use crate::{
    error::Result,
    graph::{Builder, Graph, Rows, Value},
};

/// Token ids of the call, in prompt order.
pub const IDS: &str = "ids";
/// Encoded picture rows of the call, in prompt order.
pub const PICTURES: &str = "pictures";
/// For each position of the call, its row: tokens first, then picture rows.
pub const ORDER: &str = "order";
/// The position whose logits are wanted, counted within the call.
pub const LAST: &str = "last";
/// The name of the logits in traces.
pub const LOGITS: &str = "logits";

/// The graph of a chunk of a prompt: inputs [`IDS`], [`PICTURES`] `[pictures, width]`, [`ORDER`] and [`LAST`];
/// output the logits `[1, vocabulary]` of one position.
///
/// # Errors
/// A model error when the configuration's sizes do not fit together.
pub fn prefill(c: &TextConfig) -> Result<Graph> {
    let mut g = Builder::default();
    let table = g.weight("token_embd.weight", [c.vocabulary, c.layer.width]);
    let tokens = g.embed(table);
    let pictures = g.input(PICTURES, Rows::Pictures, c.layer.width);
    let all = g.concat(tokens, pictures);
    let x = g.gather(all, ORDER, Rows::Prompt);
    let x = layers(&mut g, x, c);
    let last = g.gather(x, LAST, Rows::Fixed(1));
    let y = logits(&mut g, last, c);
    g.finish(vec![y])
}

/// The graph of one step of decoding: input [`IDS`], one of them; output the logits `[tokens, vocabulary]`.
///
/// # Errors
/// A model error when the configuration's sizes do not fit together.
pub fn decode(c: &TextConfig) -> Result<Graph> {
    let mut g = Builder::default();
    let y = step(&mut g, c);
    g.finish(vec![y])
}

/// The graph of one step of decoding that says which token is the likeliest: input [`IDS`], one of them; output the ids
/// `[tokens, 1]`, in the graph's f32.
///
/// # Errors
/// A model error when the configuration's sizes do not fit together.
pub fn likeliest(c: &TextConfig) -> Result<Graph> {
    let mut g = Builder::default();
    let y = step(&mut g, c);
    let y = g.top_k(y, 1);
    g.finish(vec![y])
}

fn step(g: &mut Builder, c: &TextConfig) -> Value {
    let table = g.weight("token_embd.weight", [c.vocabulary, c.layer.width]);
    let x = g.embed(table);
    let x = layers(g, x, c);
    logits(g, x, c)
}

fn layers(g: &mut Builder, mut x: Value, c: &TextConfig) -> Value {
    let names = Names {
        prefix: "blk",
        attention_norm: "attn_norm",
        attention_out: "attn_output",
        ffn_norm: c.ffn_norm,
        ffn_up: "ffn_up",
        ffn_down: "ffn_down",
    };
    // Rows of pictures are scaled with the others: files of such models hold them divided by it.
    x = scaled(g, x, c.embedding_scale);
    for (index, mixer) in c.mixers.iter().enumerate() {
        x = block(g, x, &c.layer, &names, index, Some(mixer));
    }
    x
}

fn logits(g: &mut Builder, x: Value, c: &TextConfig) -> Value {
    g.scope(LOGITS);
    let x = norm(g, x, c.layer.norm, c.output_norm, c.layer.eps);
    let name = if c.tied { "token_embd.weight" } else { "output.weight" };
    let weight = g.weight(name, [c.vocabulary, c.layer.width]);
    let y = g.linear(x, weight, None, None);
    let y = scaled(g, y, c.logit_scale);
    g.name(y, LOGITS)
}
