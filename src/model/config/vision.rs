//! What the mmproj file says of the vision encoder.

use super::{Bias, ConnectorConfig, LayerConfig, channels, divided, layers, tensor_rows};
use crate::{
    error::{Error, Result},
    gguf::{Header, Value},
    graph::{Act, NormKind},
};

/// The kinds of encoder and connector, by the name that llama.cpp's converter gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projector {
    /// `resampler`: MiniCPM-V 2.5 to 4.5, and LLaVA-UHD.
    Resampler,
    /// `minicpmv4_6`: MiniCPM-V 4.6.
    MiniCpmV46,
    /// `idefics3`: Idefics3, SmolVLM, granite-docling.
    Idefics3,
    /// `lfm2`: LFM2-VL.
    Lfm2,
    /// `mlp`: LLaVA-1.5.
    Mlp,
}

/// A ViT over patches of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// What was read.
    pub projector: Projector,
    /// Its layers.
    pub layer: LayerConfig,
    /// How many.
    pub layers: usize,
    /// Whether the layers' `ffn_up` and `ffn_down` are each other's, as older converters had it.
    pub swapped: bool,
    /// Pixels of a patch's side.
    pub patch: usize,
    /// Whether the patch embedding has a bias.
    pub patch_bias: bool,
    /// Pixels of the side of a square view.
    pub side: usize,
    /// Rows and columns of the learned position table.
    pub table_side: usize,
    /// Which of its rows a patch gets.
    pub positions: Positions,
    /// Whether a learned row stands before the patches, and before theirs in the table; it is dropped after the layers.
    pub class_token: bool,
    /// Whether rows are normalised before the layers.
    pub pre_norm: bool,
    /// Whether rows are normalised after the layers.
    pub post_norm: bool,
    /// What makes one row of four between two layers.
    pub merger: Option<Merger>,
    /// Taken off each channel of pixels in 0…1.
    pub mean: [f32; 3],
    /// Each channel is divided by this after.
    pub std: [f32; 3],
}

/// How a table of learned positions serves a grid of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Interpolated: PyTorch's bicubic without antialias (LLaVA-UHD).
    Bicubic,
    /// Interpolated: PyTorch's bilinear with antialias (SigLIP 2 NaFlex).
    Bilinear,
    /// The row and column of the table that a patch's fraction of its view falls into (NaViT, MiniCPM-V).
    Buckets,
    /// As it is, for views of one size alone (SigLIP, CLIP).
    Whole,
}

/// The merger inside MiniCPM-V 4.6's encoder: attention in windows of 2 × 2, then four rows become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merger {
    /// The layer it follows.
    pub after: usize,
    /// Columns inside its network.
    pub inner: usize,
}

impl VisionConfig {
    /// Rows and columns of the patches of a view of `width × height` pixels.
    pub fn grid(&self, width: u32, height: u32) -> [usize; 2] {
        [height as usize / self.patch, width as usize / self.patch]
    }

    /// The shape of the table of positions.
    pub fn table(&self) -> [usize; 2] {
        [self.table_side.pow(2) + usize::from(self.class_token), self.layer.width]
    }

    /// Reads the header of an encoder and its connector, for a decoder of this width.
    pub(super) fn read(h: &Header, decoder_width: usize) -> Result<(Self, ConnectorConfig)> {
        let projector = Projector::read(h)?;
        if h.get("clip.vision.image_grid_pinpoints").is_some() {
            return Err(Error::model(
                "The vision encoder cuts pictures at `clip.vision.image_grid_pinpoints`, as LLaVA-1.6 does; this version of Loupe runs LLaVA-1.5.",
            ));
        }
        let has = |name: &str| h.tensors.iter().any(|t| t.name == name);
        let width = h.size("clip.vision.embedding_length")?;
        let inner = h.size("clip.vision.feed_forward_length")?;
        let heads = h.size("clip.vision.attention.head_count")?;
        let patch = h.size("clip.vision.patch_size")?;
        let eps = h.number("clip.vision.attention.layer_norm_epsilon")?;
        let side = h.size("clip.vision.image_size")?;
        let connector = ConnectorConfig::read(h, projector, eps)?;
        if connector.width() != decoder_width {
            return Err(Error::model(format!(
                "These two files are not a pair: the vision encoder makes rows of {} numbers, the language model reads {decoder_width}. Give files of the same model.",
                connector.width()
            )));
        }
        let class_token = has("v.class_embd");
        let rows = tensor_rows(h, "v.position_embd.weight")?.saturating_sub(usize::from(class_token));
        let table_side = rows.isqrt();
        let positions = positions(h, projector)?;
        if table_side.pow(2) != rows || positions == Positions::Whole && (table_side * patch != side) {
            return Err(Error::model(format!(
                "The table `v.position_embd.weight` has {rows} rows, which serve no square of {side} pixels in patches of {patch}; the file is damaged or not supported."
            )));
        }
        let is = |name: &str, shape| h.tensors.iter().any(|t| t.name == name && t.matrix() == shape);
        let swapped = is("v.blk.0.ffn_down.weight", [inner, width]) || is("v.blk.0.ffn_up.weight", [width, inner]);
        let vision = Self {
            projector,
            layer: LayerConfig {
                width,
                inner,
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
                act: activation(h)?,
                gated: false,
            },
            layers: layers_to_run(h)?,
            swapped: inner != width && swapped,
            patch,
            patch_bias: has("v.patch_embd.bias"),
            side,
            table_side,
            positions,
            class_token,
            pre_norm: has("v.pre_ln.weight"),
            // LLaVA takes the rows of a layer before the last, which CLIP never normalises.
            post_norm: projector != Projector::Mlp,
            merger: merger(h, projector)?,
            mean: channels(h, "clip.vision.image_mean")?,
            std: channels(h, "clip.vision.image_std")?,
        };
        Ok((vision, connector))
    }
}

impl Projector {
    const NAMES: [(&str, Self); 5] = [
        ("resampler", Self::Resampler),
        ("minicpmv4_6", Self::MiniCpmV46),
        ("idefics3", Self::Idefics3),
        ("lfm2", Self::Lfm2),
        ("mlp", Self::Mlp),
    ];

    fn read(h: &Header) -> Result<Self> {
        let keys = ["clip.projector_type", "clip.vision.projector_type"];
        let named = keys.iter().find_map(|key| h.get(key));
        // The first converters of LLaVA named nothing.
        let name = named.map_or(Ok("mlp"), |name| {
            name.text().ok_or_else(|| Error::model("`clip.projector_type` is no text; the model file is damaged."))
        })?;
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, projector)| projector).ok_or_else(|| {
            let known = Self::NAMES.map(|(name, _)| name).join(", ");
            Error::model(format!("The vision encoder's connector is a `{name}`; this version of Loupe runs {known}."))
        })
    }
}

fn positions(h: &Header, projector: Projector) -> Result<Positions> {
    match (projector, h.get("loupe.positions").and_then(Value::text)) {
        (Projector::Resampler, Some("interpolate-bicubic")) => Ok(Positions::Bicubic),
        (_, Some(other)) => Err(Error::model(format!(
            "The vision encoder places its patches by `{other}`; this version of Loupe runs `interpolate-bicubic`."
        ))),
        (Projector::Resampler | Projector::MiniCpmV46, None) => Ok(Positions::Buckets),
        (Projector::Lfm2, None) => Ok(Positions::Bilinear),
        (Projector::Idefics3 | Projector::Mlp, None) => Ok(Positions::Whole),
    }
}

fn activation(h: &Header) -> Result<Act> {
    let flag = |key: &str| h.get(key).and_then(Value::bool).unwrap_or(false);
    match (flag("clip.use_gelu"), flag("clip.use_silu")) {
        (true, false) => Ok(Act::GeluTanh),
        (false, true) => Ok(Act::Silu),
        (false, false) => Ok(Act::GeluQuick),
        (true, true) => Err(Error::model("The vision encoder asks for two activations at once; the file is damaged.")),
    }
}

/// The layers up to the one whose rows are wanted. Converters leave out those after it, or name it: 0 is the first layer's
/// input.
fn layers_to_run(h: &Header) -> Result<usize> {
    let count = layers(h, "clip.vision.block_count")?;
    let key = "clip.vision.feature_layer";
    if h.get(key).is_none() {
        return Ok(count);
    }
    match h.list(key, |v| v.signed().and_then(|v| usize::try_from(v).ok()))?[..] {
        [layer] if layer <= count => Ok(layer),
        _ => Err(Error::model(format!(
            "`{key}` should name one of the {count} layers; this version of Loupe takes the rows of one."
        ))),
    }
}

fn merger(h: &Header, projector: Projector) -> Result<Option<Merger>> {
    if projector != Projector::MiniCpmV46 {
        return Ok(None);
    }
    match h.size("clip.vision.projector.scale_factor")? {
        2 => Ok(None),
        4 => {
            let key = "clip.vision.wa_layer_indexes";
            let after = h.list(key, |v| v.signed().and_then(|v| usize::try_from(v).ok()))?;
            let &[after] = &after[..] else {
                return Err(Error::model(format!(
                    "`{key}` should name the one layer before the merger; the file is damaged."
                )));
            };
            Ok(Some(Merger { after, inner: tensor_rows(h, "v.vit_merger.ds_ffn_up.weight")? }))
        }
        side => Err(Error::model(format!(
            "The vision encoder makes one row of {side} × {side} patches; this version of Loupe runs 2 × 2 and 4 × 4."
        ))),
    }
}
