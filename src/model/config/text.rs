//! What the language model's file says of the decoder.

use super::{Bias, LayerConfig, Rope, divided, layers, tensor_rows};
use crate::{
    error::{Error, Result},
    gguf::{Header, Value},
    graph::{Act, NormKind, RopeKind},
};

/// A decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct TextConfig {
    /// What its layers have in common.
    pub layer: LayerConfig,
    /// What mixes the rows of each layer.
    pub mixers: Vec<Mixer>,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Positions a conversation can have.
    pub context: usize,
    /// Whether the output layer is the embedding table.
    pub tied: bool,
    /// Every row that goes in is multiplied by this.
    pub embedding_scale: Option<f32>,
    /// The logits are multiplied by this.
    pub logit_scale: Option<f32>,
    /// What the norm before a layer's feed-forward network is called.
    pub ffn_norm: &'static str,
    /// What the norm after all layers is called.
    pub output_norm: &'static str,
}

/// What mixes the rows of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Mixer {
    /// Attention to all positions so far.
    Attention,
    /// A gated convolution over the last few positions (LFM2).
    Convolution {
        /// How many, this one included.
        taps: usize,
    },
    /// A gated delta net (Qwen3.5).
    Delta(DeltaSizes),
}

/// The sizes of a gated delta net.
#[derive(Clone, Debug, PartialEq)]
pub struct DeltaSizes {
    /// Heads of values.
    pub heads: usize,
    /// Heads of queries and keys.
    pub key_heads: usize,
    /// Channels of a head's key.
    pub key: usize,
    /// Channels of a head's value.
    pub value: usize,
    /// Positions that the convolution before it sees.
    pub taps: usize,
}

/// The kinds of decoder there are (`general.architecture`).
const KINDS: [&str; 6] = ["llama", "qwen2", "qwen3", "minicpm", "lfm2", "qwen35"];

impl TextConfig {
    /// Reads the language model's header.
    ///
    /// # Errors
    /// A model error naming the key that is missing, out of range or of an unsupported kind.
    pub fn read(h: &Header) -> Result<Self> {
        let kind = h.text("general.architecture")?;
        if !KINDS.contains(&kind) {
            return Err(Error::model(format!(
                "The language model is of the kind `{kind}`; this version of Loupe runs {}.",
                KINDS.map(|kind| format!("`{kind}`")).join(", ")
            )));
        }
        let key = |name: &str| format!("{kind}.{name}");
        let size = |name: &str| h.optional_size(&key(name));
        let number = |name: &str| h.get(&key(name)).map(|_| h.number(&key(name))).transpose();
        let width = h.size(&key("embedding_length"))?;
        let heads = h.size(&key("attention.head_count"))?;
        let head_dim = match size("attention.key_length")? {
            Some(dim) => dim,
            None => divided(width, heads, "attention.head_count")?,
        };
        if size("attention.value_length")?.is_some_and(|dim| dim != head_dim) {
            return Err(Error::model(format!(
                "The language model's heads have keys of {head_dim} numbers and values of another size, which this version of Loupe does not run."
            )));
        }
        // Layers for predicting several tokens ahead come last, and are not needed.
        let count = layers(h, &key("block_count"))?.saturating_sub(size("nextn_predict_layers")?.unwrap_or(0));
        let mixers = (0..count).map(|index| mixer(h, kind, index)).collect::<Result<Vec<_>>>()?;
        let mut context = h.size(&key("context_length"))?;
        let factors = rope_factors(h, kind)?;
        if factors == Some(SHORT_FACTORS) {
            // The long factors are for conversations beyond this, which would have to be read anew with them.
            context = context.min(size("rope.scaling.original_context_length")?.unwrap_or(context));
        }
        let is_minicpm = kind == "minicpm";
        let scale = |name: &str, default: f32| is_minicpm.then(|| Ok(number(name)?.unwrap_or(default))).transpose();
        Ok(Self {
            layer: LayerConfig {
                width,
                inner: h.size(&key("feed_forward_length"))?,
                heads,
                kv_heads: kv_heads(h, kind, &mixers)?.unwrap_or(heads),
                head_dim,
                norm: NormKind::Rms,
                eps: h.number(&key("attention.layer_norm_rms_epsilon"))?,
                head_norm: matches!(kind, "qwen3" | "lfm2" | "qwen35"),
                gated_heads: kind == "qwen35",
                rope: Some(Rope {
                    kind: if matches!(kind, "llama" | "minicpm") { RopeKind::Pairs } else { RopeKind::Halves },
                    turned: size("rope.dimension_count")?.unwrap_or(head_dim),
                    base: number("rope.freq_base")?.unwrap_or(10_000.0),
                    factors,
                }),
                bias: if kind == "qwen2" { Bias::Inputs } else { Bias::None },
                // Files from before there were these keys are MiniCPM 1 and 2, of these numbers.
                residual_scale: scale("residual_scale", 1.4 / (count as f32).sqrt())?,
                act: Act::Silu,
                gated: true,
            },
            mixers,
            vocabulary: tensor_rows(h, "token_embd.weight")?,
            context,
            tied: h.tensors.iter().all(|t| t.name != "output.weight"),
            embedding_scale: scale("embedding_scale", 12.0)?,
            logit_scale: scale("logit_scale", width as f32 / 256.0)?.map(|by| 1.0 / by),
            ffn_norm: if kind == "qwen35" { "post_attention_norm" } else { "ffn_norm" },
            output_norm: if kind == "lfm2" { "token_embd_norm" } else { "output_norm" },
        })
    }

    /// Whether it remembers in states, which cannot be cut back.
    pub fn is_recurrent(&self) -> bool {
        self.mixers.iter().any(|mixer| *mixer != Mixer::Attention)
    }
}

/// What mixes the rows of layer `index`.
fn mixer(h: &Header, kind: &str, index: usize) -> Result<Mixer> {
    let size = |name: &str| h.size(&format!("{kind}.{name}"));
    match kind {
        // A layer without heads to attend with is a convolution.
        "lfm2" if listed(h, "lfm2.attention.head_count_kv", index)?.is_some_and(|heads| heads == 0) => {
            Ok(Mixer::Convolution { taps: size("shortconv.l_cache")? })
        }
        "qwen35" if is_recurrent(h, index)? => {
            let heads = size("ssm.time_step_rank")?;
            Ok(Mixer::Delta(DeltaSizes {
                heads,
                key_heads: size("ssm.group_count")?,
                key: size("ssm.state_size")?,
                value: divided(size("ssm.inner_size")?, heads, "qwen35.ssm.time_step_rank")?,
                taps: size("ssm.conv_kernel")?,
            }))
        }
        _ => Ok(Mixer::Attention),
    }
}

fn is_recurrent(h: &Header, index: usize) -> Result<bool> {
    let key = "qwen35.attention.recurrent_layers";
    if h.get(key).is_some() {
        let layers = h.list(key, Value::bool)?;
        return layers.get(index).copied().ok_or_else(|| too_short(key));
    }
    let interval = h.optional_size("qwen35.full_attention_interval")?.unwrap_or(4);
    Ok(!(index + 1).is_multiple_of(interval))
}

/// Heads of keys and values in the layers that attend: one number for all, or one for each layer.
fn kv_heads(h: &Header, kind: &str, mixers: &[Mixer]) -> Result<Option<usize>> {
    let key = format!("{kind}.attention.head_count_kv");
    let attending = mixers.iter().enumerate().filter(|(_, mixer)| **mixer == Mixer::Attention);
    let mut counts = attending.map(|(index, _)| listed(h, &key, index)).collect::<Result<Vec<_>>>()?;
    counts.dedup();
    match counts[..] {
        [] | [None] => Ok(None),
        [Some(heads)] if heads > 0 => Ok(Some(heads as usize)),
        _ => {
            Err(Error::model(format!("`{key}` differs from layer to layer, which this version of Loupe does not run.")))
        }
    }
}

/// A count of layer `index`: of a list, or the same for all; `None` without the key.
fn listed(h: &Header, key: &str, index: usize) -> Result<Option<u64>> {
    let Some(value) = h.get(key) else { return Ok(None) };
    let count = match value.array() {
        Some(values) => values.get(index).ok_or_else(|| too_short(key))?.unsigned(),
        None => value.unsigned(),
    };
    let fits = count.filter(|&n| n <= 0x7fff_ffff);
    fits.map(Some).ok_or_else(|| Error::model(format!("`{key}` should hold whole numbers; the model file is damaged.")))
}

fn too_short(key: &str) -> Error {
    Error::model(format!("`{key}` says nothing of some layers; the model file is damaged."))
}

const SHORT_FACTORS: &str = "rope_factors_short.weight";

/// The tensor that divides the angles of rotary positions, if there is one.
fn rope_factors(h: &Header, kind: &str) -> Result<Option<&'static str>> {
    let key = format!("{kind}.rope.scaling.type");
    let llama_3 = "rope_freqs.weight";
    match h.get(&key).and_then(Value::text).unwrap_or("none") {
        "none" => Ok(h.tensors.iter().any(|t| t.name == llama_3).then_some(llama_3)),
        "longrope" => Ok(Some(SHORT_FACTORS)),
        other => Err(Error::model(format!(
            "The language model stretches its positions by `{other}` (`{key}`); this version of Loupe knows `longrope`, and Llama 3's."
        ))),
    }
}
