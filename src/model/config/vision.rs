//! What the mmproj file says of the vision encoder and the connector.

use super::{Bias, LayerConfig, channels, divided, layers};
use crate::{
    error::{Error, Result},
    gguf::{Header, Value},
    graph::{Act, NormKind},
};

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

impl VisionConfig {
    /// Reads the header of an encoder for a decoder of this width.
    pub(super) fn read(h: &Header, decoder_width: usize) -> Result<(Self, ConnectorConfig)> {
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
        let vision = Self {
            layer: LayerConfig {
                width,
                inner: h.size("clip.vision.feed_forward_length")?,
                heads,
                kv_heads: heads,
                head_dim: divided(width, heads, "clip.vision.attention.head_count")?,
                norm: NormKind::Layer,
                eps,
                head_norm: false,
                gated_heads: false,
                rope: None,
                bias: Bias::All,
                residual_scale: None,
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
}
