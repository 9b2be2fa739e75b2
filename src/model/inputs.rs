//! What an encoder is given beside the patches: positions and orders of rows, the same for every view of one grid.

use super::{
    config::{ConnectorConfig, Positions, ResamplerPositions, VlmConfig},
    positions::{bilinear, buckets, interpolate, resampler_positions, whole_positions},
};

/// Patches of a view, `[patches, 3·patch²]`, row by row of the view.
pub const PATCHES: &str = "patches";
/// A position for each patch, `[patches, width]`; one more, the first, where there is a class token.
pub const POSITIONS: &str = "positions";
/// The rows without the class token.
pub const WITHOUT_CLASS: &str = "rows without the class token";
/// The rows in the order of windows of 2 × 2, for the merger inside the encoder.
pub const WINDOWS: &str = "windows";
/// The rows in the order in which the connector puts neighbours side by side.
pub const NEIGHBOURS: &str = "neighbours";
/// A position for each key of the resampler, `[patches, decoder width]`.
pub const KEY_POSITIONS: &str = "key positions";
/// A position for each query of the resampler, `[queries, decoder width]`.
pub const QUERY_POSITIONS: &str = "query positions";

/// An input of a view's graph that does not depend on its pixels.
#[derive(Clone, Debug, PartialEq)]
pub enum ViewInput {
    /// Numbers, row by row.
    Matrix(Vec<f32>),
    /// Rows of another value.
    Index(Vec<u32>),
}

/// Inputs by their names.
pub type ViewInputs = Vec<(&'static str, ViewInput)>;

/// By name, all inputs but [`PATCHES`] of the graph for a grid of `rows × columns` patches; `table` is the model's
/// position table, `[table_side², width]`, with one row more, the first, for a class token.
pub fn view_inputs(c: &VlmConfig, table: &[f32], [rows, columns]: [usize; 2]) -> ViewInputs {
    let v = &c.vision;
    let class = if v.class_token { v.layer.width } else { 0 };
    let (class, table) = table.split_at(class.min(table.len()));
    let patches = match v.positions {
        Positions::Bicubic => interpolate(table, v.table_side, v.layer.width, rows, columns),
        Positions::Bilinear => bilinear(table, v.table_side, v.layer.width, rows, columns),
        Positions::Buckets => buckets(table, v.table_side, v.layer.width, rows, columns),
        Positions::Whole => table.to_vec(),
    };
    let mut inputs = vec![(POSITIONS, ViewInput::Matrix([class, &patches[..]].concat()))];
    if v.class_token {
        inputs.push((WITHOUT_CLASS, ViewInput::Index((1..=(rows * columns) as u32).collect())));
    }
    let mut grid = [rows, columns];
    if v.merger.is_some() {
        inputs.push((WINDOWS, ViewInput::Index(windows(grid, 2))));
        grid = grid.map(|n| n / 2);
    }
    match c.connector {
        ConnectorConfig::Resampler { queries, positions, width, .. } => match positions {
            ResamplerPositions::Spread { extent } => {
                let side = queries.isqrt();
                let keys = resampler_positions(grid[0], grid[1], extent, width);
                inputs.push((KEY_POSITIONS, ViewInput::Matrix(keys)));
                let queries = resampler_positions(side, side, extent, width);
                inputs.push((QUERY_POSITIONS, ViewInput::Matrix(queries)));
            }
            ResamplerPositions::Whole => {
                inputs.push((KEY_POSITIONS, ViewInput::Matrix(whole_positions(grid[0], grid[1], width))));
            }
        },
        ConnectorConfig::Mlp { side, .. } if side > 1 => {
            inputs.push((NEIGHBOURS, ViewInput::Index(windows(grid, side))));
        }
        ConnectorConfig::Mlp { .. } => {}
    }
    inputs
}

/// The places of a grid, window by window of `side × side`, row by row in each.
fn windows([rows, columns]: [usize; 2], side: usize) -> Vec<u32> {
    let mut order = Vec::with_capacity(rows * columns);
    for top in (0..rows).step_by(side) {
        for left in (0..columns).step_by(side) {
            for y in top..top + side {
                order.extend((left..left + side).map(|x| (y * columns + x) as u32));
            }
        }
    }
    order
}
