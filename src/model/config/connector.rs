//! What the mmproj file says of the connector, which turns a view's features into rows of the decoder.

use super::{Projector, tensor_rows};
use crate::{
    error::{Error, Result},
    gguf::{Header, Value},
    graph::Act,
};

/// Which connector, and its sizes.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectorConfig {
    /// Learned queries that attend once to the features (MiniCPM-V, LLaVA-UHD).
    Resampler {
        /// Queries: the rows a view becomes.
        queries: usize,
        /// Attention heads.
        heads: usize,
        /// Where keys and queries lie.
        positions: ResamplerPositions,
        /// Columns of a row, the decoder's.
        width: usize,
        /// Added to the variance in its norms.
        eps: f32,
    },
    /// Neighbouring features side by side, then linear layers (all others).
    Mlp {
        /// Features that become one row: a square of `side × side`.
        side: usize,
        /// Added to the variance in the norm before the layers, where there is one.
        norm: Option<f32>,
        /// The layers, in order, with an activation between two.
        layers: Vec<Projection>,
        /// The activation.
        act: Act,
    },
}

/// How positions are given to a resampler's keys and queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResamplerPositions {
    /// Keys and queries are spread evenly over one square of this side (LLaVA-UHD).
    Spread {
        /// In patches.
        extent: usize,
    },
    /// Keys lie on whole patches; queries have no positions (MiniCPM-V 2.5 to 4.5).
    Whole,
}

/// A linear layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// What it is called in the file.
    pub name: &'static str,
    /// Columns of its result.
    pub width: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

impl ConnectorConfig {
    /// How many features along each side of a view become one row of the decoder; 1 for a resampler.
    pub fn side(&self) -> usize {
        match self {
            Self::Resampler { .. } => 1,
            Self::Mlp { side, .. } => *side,
        }
    }

    /// Columns of the rows it makes.
    pub fn width(&self) -> usize {
        match self {
            Self::Resampler { width, .. } => *width,
            Self::Mlp { layers, .. } => layers.last().map_or(0, |layer| layer.width),
        }
    }

    /// Reads the connector of that kind behind an encoder whose norms add `eps`.
    pub(super) fn read(h: &Header, projector: Projector, eps: f32) -> Result<Self> {
        let has = |name: &str| h.tensors.iter().any(|t| t.name == name);
        let layers = |names: &[&'static str], bias: bool| -> Result<Vec<Projection>> {
            let layer = |&name| Ok(Projection { name, width: tensor_rows(h, &format!("{name}.weight"))?, bias });
            names.iter().map(layer).collect()
        };
        let mlp = |side, norm, layers| Ok(Self::Mlp { side, norm, layers, act: Act::GeluErf });
        match projector {
            Projector::Resampler => resampler(h, eps),
            Projector::Idefics3 => mlp(scale(h)?, None, layers(&["mm.model.fc"], false)?),
            // Half of the reduction at 16× is the merger's, inside the encoder.
            Projector::MiniCpmV46 => mlp(2, Some(1e-6), layers(&["mm.up", "mm.down"], true)?),
            Projector::Lfm2 => {
                let norm = has("mm.input_norm.weight").then_some(1e-5);
                mlp(scale(h)?, norm, layers(&["mm.1", "mm.2"], true)?)
            }
            Projector::Mlp => mlp(1, None, layers(&["mm.0", "mm.2"], true)?),
        }
    }
}

/// Patches along a side that become one row.
fn scale(h: &Header) -> Result<usize> {
    match h.optional_size("clip.vision.projector.scale_factor")?.unwrap_or(2) {
        side @ 1..=16 => Ok(side),
        side => Err(Error::model(format!("The connector merges {side} × {side} patches; the file is damaged."))),
    }
}

fn resampler(h: &Header, eps: f32) -> Result<ConnectorConfig> {
    let width = tensor_rows(h, "resampler.attn.out.weight")?;
    // Only our own files tell more than llama.cpp's converter writes.
    if h.get("loupe.resampler.extent").is_some() {
        if !h.get("loupe.resampler.query_positions").and_then(Value::bool).unwrap_or(false) {
            return Err(Error::model(
                "The resampler's keys are spread and its queries have no positions; export it again.",
            ));
        }
        let queries = h.size("clip.minicpmv_query_num")?;
        if queries.isqrt().pow(2) != queries {
            return Err(Error::model(format!(
                "The resampler has {queries} queries, which form no square; the file is damaged."
            )));
        }
        let positions = ResamplerPositions::Spread { extent: h.size("loupe.resampler.extent")? };
        return Ok(ConnectorConfig::Resampler {
            queries,
            heads: h.size("loupe.resampler.head_count")?,
            positions,
            width,
            eps,
        });
    }
    let queries = tensor_rows(h, "resampler.query")?;
    // Every head of MiniCPM-V's has 128 channels.
    let heads = width / 128;
    if heads * 128 != width {
        return Err(Error::model(format!(
            "The resampler is {width} wide, which heads of 128 channels do not divide; this version of Loupe runs those of MiniCPM-V."
        )));
    }
    Ok(ConnectorConfig::Resampler { queries, heads, positions: ResamplerPositions::Whole, width, eps: 1e-6 })
}
