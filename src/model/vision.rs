//! One view of a picture in, rows of the decoder out.

use super::{
    block::{Names, block, linear, norm},
    config::{ConnectorConfig, VlmConfig},
    connector::resampler,
    positions::{interpolate, resampler_positions},
};
use crate::{
    error::Result,
    graph::{Builder, Graph, Rows},
};

/// Patches of a view, `[patches, 3·patch²]`, row by row of the view.
pub const PATCHES: &str = "patches";
/// A position for each patch, `[patches, width]`.
pub const POSITIONS: &str = "positions";
/// A position for each key of the resampler, `[patches, decoder width]`.
pub const KEY_POSITIONS: &str = "key positions";
/// A position for each query of the resampler, `[queries, decoder width]`.
pub const QUERY_POSITIONS: &str = "query positions";

const NAMES: Names = Names { prefix: "v.blk", attention_norm: "ln1", attention_out: "attn_out", ffn_norm: "ln2" };

/// The graph of a view of `patches` patches: inputs [`PATCHES`], [`POSITIONS`], [`KEY_POSITIONS`] and
/// [`QUERY_POSITIONS`]; output the rows `[connector rows, decoder width]`.
///
/// # Errors
/// A model error when the configuration's sizes do not fit together.
pub fn view(c: &VlmConfig, patches: usize) -> Result<Graph> {
    let (v, rows) = (&c.vision, Rows::Fixed(patches));
    let mut g = Builder::default();
    g.scope("v.patch_embd");
    let pixels = 3 * v.patch * v.patch;
    let x = g.input(PATCHES, rows, pixels);
    let x = linear(&mut g, x, "v.patch_embd", [v.layer.width, pixels], true);
    let positions = g.input(POSITIONS, rows, v.layer.width);
    let mut x = g.add(x, positions);
    g.name(x, "v.embedded");
    for index in 0..v.layers {
        x = block(&mut g, x, &v.layer, &NAMES, index, None);
    }
    g.scope("v.post_ln");
    let x = norm(&mut g, x, v.layer.norm, "v.post_ln", v.layer.eps);
    g.name(x, "v.post_ln");
    let out = match &c.connector {
        ConnectorConfig::Resampler { .. } => resampler(&mut g, x, rows, &c.connector),
    };
    g.finish(vec![out])
}

/// The position inputs of a view, the same for every view of one grid.
#[derive(Clone, Debug)]
pub struct ViewInputs {
    /// For [`POSITIONS`].
    pub positions: Vec<f32>,
    /// For [`KEY_POSITIONS`].
    pub keys: Vec<f32>,
    /// For [`QUERY_POSITIONS`].
    pub queries: Vec<f32>,
}

/// The position inputs for a grid of `rows × columns` patches; `table` is the model's position table,
/// `[table_side², width]`.
pub fn view_inputs(c: &VlmConfig, table: &[f32], rows: usize, columns: usize) -> ViewInputs {
    let positions = interpolate(table, c.vision.table_side, c.vision.layer.width, rows, columns);
    let ConnectorConfig::Resampler { queries, extent, width, .. } = c.connector;
    let side = queries.isqrt();
    ViewInputs {
        positions,
        keys: resampler_positions(rows, columns, extent, width),
        queries: resampler_positions(side, side, extent, width),
    }
}
