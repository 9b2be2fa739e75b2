//! What a pair of GGUF files says of its model.

use crate::{
    error::{Error, Result},
    gguf::{Header, Value},
    graph::{Act, NormKind, RopeKind},
};

/// A whole vision-language model.
#[derive(Clone, Debug, PartialEq)]
pub struct VlmConfig {
    /// The vision encoder.
    pub vision: VisionConfig,
    /// What turns its features into rows of the decoder.
    pub connector: ConnectorConfig,
    /// The decoder.
    pub text: TextConfig,
}

/// One transformer layer, of vision and of text alike.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerConfig {
    /// Columns of a row.
    pub width: usize,
    /// Columns inside the feed-forward network.
    pub inner: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Normalisation before each half.
    pub norm: NormKind,
    /// Added to the variance.
    pub eps: f32,
    /// Rotary positions: pairing, channels turned, base.
    pub rope: Option<(RopeKind, usize, f32)>,
    /// Whether projections have biases.
    pub bias: bool,
    /// The activation of the feed-forward network.
    pub act: Act,
    /// Whether the activation gates a second projection.
    pub gated: bool,
}

/// A ViT over patches of any grid.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Its layers.
    pub layer: LayerConfig,
    /// How many.
    pub layers: usize,
    /// Pixels of a patch's side.
    pub patch: usize,
    /// Rows and columns of the learned position table.
    pub table_side: usize,
    /// Taken off each channel of pixels in 0…1.
    pub mean: [f32; 3],
    /// Each channel is divided by this after.
    pub std: [f32; 3],
}

/// Which connector, and its sizes.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectorConfig {
    /// Learned queries that attend once to the features (MiniCPM-V, LLaVA-UHD).
    Resampler {
        /// Queries, a square number: the rows a view becomes.
        queries: usize,
        /// Attention heads.
        heads: usize,
        /// Side of the square on which the positions of keys and queries lie.
        extent: usize,
        /// Columns of a row, the decoder's.
        width: usize,
        /// Added to the variance in its norms.
        eps: f32,
    },
}

impl ConnectorConfig {
    /// Rows a view becomes.
    pub fn rows(&self) -> usize {
        match self {
            Self::Resampler { queries, .. } => *queries,
        }
    }
}

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

/// More layers than any published model of this kind has: a larger number is damage, and would only cost time.
const MOST_LAYERS: usize = 256;

impl VlmConfig {
    /// Reads both headers.
    ///
    /// # Errors
    /// A model error naming the key that is missing, out of range or of an unsupported kind, or saying that the two
    /// files do not belong together.
    pub fn read(text: &Header, vision: &Header) -> Result<Self> {
        let kind = |h: &Header| h.text("general.architecture").map(str::to_owned);
        let (text_kind, vision_kind) = (kind(text)?, kind(vision)?);
        if vision_kind != "clip" {
            return Err(Error::model(format!(
                "The second model file is of the kind `{vision_kind}`, not a vision encoder (`clip`); give the language model and its mmproj file."
            )));
        }
        let text = text_config(text, &text_kind)?;
        let (vision, connector) = vision_config(vision, text.layer.width)?;
        Ok(Self { vision, connector, text })
    }
}

fn text_config(h: &Header, kind: &str) -> Result<TextConfig> {
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
    Ok(TextConfig {
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

fn vision_config(h: &Header, decoder_width: usize) -> Result<(VisionConfig, ConnectorConfig)> {
    let projector = h.text("clip.projector_type")?;
    if projector != "resampler" {
        return Err(Error::model(format!(
            "The vision encoder's connector is a `{projector}`; this version of Loupe runs `resampler`."
        )));
    }
    let positions = h.text("loupe.positions")?;
    if positions != "interpolate-bicubic" {
        return Err(Error::model(format!(
            "The vision encoder places its patches by `{positions}`; this version of Loupe runs `interpolate-bicubic`."
        )));
    }
    let width = h.size("clip.vision.embedding_length")?;
    let heads = h.size("clip.vision.attention.head_count")?;
    let patch = h.size("clip.vision.patch_size")?;
    let eps = h.number("clip.vision.attention.layer_norm_epsilon")?;
    let flag = |key: &str| h.get(key).and_then(Value::bool).unwrap_or(false);
    let act = match (flag("clip.use_gelu"), flag("clip.use_silu")) {
        (true, false) => Act::GeluTanh,
        (false, true) => Act::Silu,
        (false, false) => Act::GeluQuick,
        (true, true) => {
            return Err(Error::model("The vision encoder asks for two activations at once; the file is damaged."));
        }
    };
    let projection = h.size("clip.vision.projection_dim")?;
    if projection != decoder_width {
        return Err(Error::model(format!(
            "These two files are not a pair: the vision encoder makes rows of {projection} numbers, the language model reads {decoder_width}. Give files of the same model."
        )));
    }
    let vision = VisionConfig {
        layer: LayerConfig {
            width,
            inner: h.size("clip.vision.feed_forward_length")?,
            heads,
            kv_heads: heads,
            head_dim: divided(width, heads, "clip.vision.attention.head_count")?,
            norm: NormKind::Layer,
            eps,
            rope: None,
            bias: true,
            act,
            gated: false,
        },
        layers: layers(h, "clip.vision.block_count")?,
        patch,
        table_side: divided(h.size("clip.vision.image_size")?, patch, "clip.vision.patch_size")?,
        mean: channels(h, "clip.vision.image_mean")?,
        std: channels(h, "clip.vision.image_std")?,
    };
    if !flag("loupe.resampler.query_positions") {
        return Err(Error::model(
            "The resampler's queries have no positions; this version of Loupe runs resamplers whose queries have them.",
        ));
    }
    let queries = h.size("clip.minicpmv_query_num")?;
    if queries.isqrt().pow(2) != queries {
        return Err(Error::model(format!(
            "The resampler has {queries} queries, which form no square; the file is damaged."
        )));
    }
    let connector = ConnectorConfig::Resampler {
        queries,
        heads: h.size("loupe.resampler.head_count")?,
        extent: h.size("loupe.resampler.extent")?,
        width: decoder_width,
        eps,
    };
    Ok((vision, connector))
}

fn layers(h: &Header, key: &str) -> Result<usize> {
    match h.size(key)? {
        n if n <= MOST_LAYERS => Ok(n),
        n => Err(Error::model(format!("The model claims {n} layers; the file is damaged."))),
    }
}

fn divided(whole: usize, parts: usize, key: &str) -> Result<usize> {
    if parts == 0 || !whole.is_multiple_of(parts) {
        return Err(Error::model(format!("`{key}` ({parts}) does not divide {whole}; the model file is damaged.")));
    }
    Ok(whole / parts)
}

fn channels(h: &Header, key: &str) -> Result<[f32; 3]> {
    let values = h.list(key, |v| v.number().map(|v| v as f32))?;
    <[f32; 3]>::try_from(values)
        .map_err(|_| Error::model(format!("`{key}` should hold three numbers; the model file is damaged.")))
}

fn tensor_rows(h: &Header, name: &str) -> Result<usize> {
    let tensor = h.tensors.iter().find(|t| t.name == name);
    tensor.and_then(|t| t.shape.first().copied()).ok_or_else(|| {
        Error::model(format!(
            "The model file lacks the tensor `{name}`; it is incomplete or of a kind Loupe does not support."
        ))
    })
}
