//! Where a few rows at a time are enough.
//!
//! The hidden values of a feed-forward network are several times as wide as what goes in and comes out, and no row of them
//! needs another. Nodes from the first such value to the last reader of one are a *strip*: an executor may take some rows
//! through all of them before it takes the next, and what is wide never lies there whole.

use std::ops::Range;

use super::{Graph, Op, Rows, Value};

/// Rows that are worth a pass by themselves: weights are unpacked anew in each.
const ROWS: usize = 256;
/// Rows of a pass come in multiples of this, which those of all kernels' tiles divide.
const TILE: usize = 12;

/// Nodes whose rows do not know of each other, from one that widens to the last that reads something wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// The nodes.
    pub nodes: Range<usize>,
    /// Rows of each of their values.
    pub rows: usize,
}

impl Strip {
    /// How many rows one pass takes.
    pub fn pass(&self) -> usize {
        self.rows.div_ceil(self.rows.div_ceil(ROWS)).next_multiple_of(TILE).min(self.rows)
    }

    /// The passes, as ranges of rows.
    pub fn passes(&self) -> impl Iterator<Item = Range<usize>> {
        let (rows, pass) = (self.rows, self.pass());
        (0..rows).step_by(pass).map(move |first| first..rows.min(first + pass))
    }
}

/// The strips of a graph, in order; `last_read` is the last reader of each value.
pub fn strips(graph: &Graph, last_read: &[usize]) -> Vec<Strip> {
    let mut found: Vec<Strip> = Vec::new();
    for at in 0..graph.nodes.len() {
        let after = found.last().map_or(0, |strip| strip.nodes.end);
        if at >= after {
            found.extend(strip(graph, last_read, at));
        }
    }
    found
}

/// The strip that begins at node `at`, if one does.
fn strip(graph: &Graph, last_read: &[usize], at: usize) -> Option<Strip> {
    let cols = |at: usize| graph.nodes[at].cols;
    let Rows::Fixed(rows) = graph.nodes[at].rows else { return None };
    let narrow = graph.nodes[at].op.reads().into_iter().map(|read| cols(read.index())).max()?;
    if rows <= ROWS || cols(at) <= narrow {
        return None;
    }
    let (mut end, mut node) = (at, at);
    while node <= end {
        if !goes_by_rows(graph, node, rows) {
            return None;
        }
        if cols(node) > narrow {
            // An output is read for ever.
            end = end.max(last_read[node]);
        }
        node += 1;
        if end >= graph.nodes.len() {
            return None;
        }
    }
    Some(Strip { nodes: at..end + 1, rows })
}

/// Whether each row of a node's value is made of the same rows of what it reads, and all of them are in the arena.
fn goes_by_rows(graph: &Graph, at: usize, rows: usize) -> bool {
    let node = &graph.nodes[at];
    let alike = |value: Value| {
        let read = &graph.nodes[value.index()];
        read.rows == Rows::Fixed(rows) && !read.op.is_elsewhere()
    };
    let by_rows = matches!(
        node.op,
        Op::Linear { .. }
            | Op::Norm { .. }
            | Op::Add(..)
            | Op::Gate { .. }
            | Op::Scale { .. }
            | Op::Act { .. }
            | Op::Columns { .. }
    );
    by_rows && node.rows == Rows::Fixed(rows) && node.op.reads().into_iter().all(alike)
}
