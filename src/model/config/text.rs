//! What the language model's file says of the decoder.

use super::{LayerConfig, divided, layers, tensor_rows};
use crate::{
    error::{Error, Result},
    gguf::Header,
    graph::{Act, NormKind, RopeKind},
};

/// A Llama-type decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct TextConfig {
    /// Its layers.
    pub layer: LayerConfig,
    /// How many.
    pub layers: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Positions a conversation can have.
    pub context: usize,
    /// Whether the output layer is the embedding table.
    pub tied: bool,
}

impl TextConfig {
    /// Reads the header of a decoder of this kind (`general.architecture`).
    pub(super) fn read(h: &Header, kind: &str) -> Result<Self> {
        if kind != "llama" {
            return Err(Error::model(format!(
                "The language model is of the kind `{kind}`; this version of Loupe runs `llama`."
            )));
        }
        let key = |name: &str| format!("{kind}.{name}");
        let width = h.size(&key("embedding_length"))?;
        let heads = h.size(&key("attention.head_count"))?;
        let kv_heads = h.optional_size(&key("attention.head_count_kv"))?.unwrap_or(heads);
        let head_dim = match h.optional_size(&key("attention.key_length"))? {
            Some(dim) => dim,
            None => divided(width, heads, "attention.head_count")?,
        };
        let turned = h.optional_size(&key("rope.dimension_count"))?.unwrap_or(head_dim);
        let base = if h.get(&key("rope.freq_base")).is_some() { h.number(&key("rope.freq_base"))? } else { 10_000.0 };
        let vocabulary = tensor_rows(h, "token_embd.weight")?;
        Ok(Self {
            layer: LayerConfig {
                width,
                inner: h.size(&key("feed_forward_length"))?,
                heads,
                kv_heads,
                head_dim,
                norm: NormKind::Rms,
                eps: h.number(&key("attention.layer_norm_rms_epsilon"))?,
                rope: Some((RopeKind::Pairs, turned, base)),
                bias: false,
                act: Act::Silu,
                gated: true,
            },
            layers: layers(h, &key("block_count"))?,
            vocabulary,
            context: h.size(&key("context_length"))?,
            tied: h.tensors.iter().all(|t| t.name != "output.weight"),
        })
    }
}
