//! What a pair of GGUF files says of its model.

mod connector;
mod text;
mod vision;

pub use self::{
    connector::{ConnectorConfig, Projection, ResamplerPositions},
    text::{DeltaSizes, Mixer, TextConfig},
    vision::{Merger, Positions, Projector, VisionConfig},
};

use crate::{
    error::{Error, Result},
    gguf::Header,
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
    /// Whether each head of the queries and of the keys is normalised before it is turned.
    pub head_norm: bool,
    /// Whether each head's result is multiplied by σ of a gate that the queries' projection makes beside them.
    pub gated_heads: bool,
    /// Rotary positions.
    pub rope: Option<Rope>,
    /// Which projections have biases.
    pub bias: Bias,
    /// What each half of the layer adds is multiplied by this first.
    pub residual_scale: Option<f32>,
    /// The activation of the feed-forward network.
    pub act: Act,
    /// Whether the activation gates a second projection.
    pub gated: bool,
}

/// Which projections of a layer have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// None.
    None,
    /// Those of queries, keys and values.
    Inputs,
    /// All.
    All,
}

/// Rotary positions: the same for every layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Which channels turn together.
    pub kind: RopeKind,
    /// Channels of a head that turn.
    pub turned: usize,
    /// Pair i turns by base^(−2i/turned) a position.
    pub base: f32,
    /// The tensor that divides each pair's angle.
    pub factors: Option<&'static str>,
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
        let vision_kind = vision.text("general.architecture")?;
        if vision_kind != "clip" {
            return Err(Error::model(format!(
                "The second model file is of the kind `{vision_kind}`, not a vision encoder (`clip`); give the language model and its mmproj file."
            )));
        }
        let text = TextConfig::read(text)?;
        let (vision, connector) = VisionConfig::read(vision, text.layer.width)?;
        Ok(Self { vision, connector, text })
    }

    /// How many patches along each side of a view become one row of the decoder; grids of patches are multiples of it.
    pub fn merged(&self) -> usize {
        self.connector.side() * if self.vision.merger.is_some() { 2 } else { 1 }
    }

    /// The rows of the decoder that a view of `rows × columns` patches becomes.
    pub fn view_rows(&self, [rows, columns]: [usize; 2]) -> usize {
        match self.connector {
            ConnectorConfig::Resampler { queries, .. } => queries,
            ConnectorConfig::Mlp { .. } => rows * columns / self.merged().pow(2),
        }
    }
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
