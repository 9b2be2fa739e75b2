//! Which nodes are alike: what was learned of how long one takes goes for the others.

use std::collections::HashMap;

use super::{bound::Bound, machine::PART, weights::Weights};
use crate::graph::{Live, Op, Plan};

#[derive(PartialEq, Eq, Hash)]
struct Kind {
    op: &'static str,
    /// Columns read and written.
    cols: [usize; 2],
    /// Bytes of a row of weights.
    stride: usize,
    /// Rows, as a power of two: few rows take longer each than many.
    octave: u32,
}

/// All kinds met so far, numbered.
#[derive(Default)]
pub struct Kinds(HashMap<Kind, usize>);

impl Kinds {
    /// The kind of each node in a call; none of nodes too small to be shared.
    pub fn of(&mut self, plan: &Plan, bound: &Bound, weights: &Weights, live: &Live) -> Vec<Option<usize>> {
        let nodes = &plan.graph().nodes;
        let mut kind = |at: usize| {
            let node = &nodes[at];
            let rows = node.rows.resolve(live);
            let stride = match node.op {
                Op::Linear { weight, .. } => weights[bound.weight(weight)].stride(),
                _ => 0,
            };
            let shared = match node.op {
                Op::Linear { .. } | Op::Attend { .. } | Op::Delta { .. } => true,
                Op::Norm { .. } | Op::Rope { .. } | Op::Convolve { .. } | Op::Columns { .. } => rows * node.cols > PART,
                Op::Add(..) | Op::Gate { .. } | Op::Scale { .. } | Op::Act { .. } => rows * node.cols > PART,
                _ => false,
            };
            let inner = node.op.reads().first().map_or(0, |read| nodes[read.index()].cols);
            let octave = rows.checked_ilog2().filter(|_| shared)?;
            let count = self.0.len();
            let kind = Kind { op: node.op.kind(), cols: [inner, node.cols], stride, octave };
            Some(*self.0.entry(kind).or_insert(count))
        };
        (0..nodes.len()).map(&mut kind).collect()
    }
}
