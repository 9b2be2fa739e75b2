//! Neighbouring nodes that one dispatch computes: a step of decoding waits for dispatches more than for numbers.

use crate::graph::{Op, Plan, Value};

/// What a node has to do with its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fused {
    /// A node by itself.
    Alone,
    /// The node so many places further on computes it too.
    Later(usize),
    /// A sum of the layer before it and of this value.
    Sum(Value),
    /// The last of four: queries are turned, keys are turned and stored, values are stored.
    Stored,
}

impl Fused {
    /// How many nodes before it are computed with it.
    pub fn reach(self) -> usize {
        match self {
            Self::Alone | Self::Later(_) => 0,
            Self::Sum(_) => 1,
            Self::Stored => 3,
        }
    }
}

/// What each node of a plan has to do with its neighbours.
pub fn fuse(plan: &Plan) -> Vec<Fused> {
    let nodes = &plan.graph().nodes;
    let mut all = vec![Fused::Alone; nodes.len()];
    let mut at = 0;
    while at < nodes.len() {
        let last = stored(plan, at).or_else(|| sum(plan, at));
        if let Some(last) = last {
            for back in 1..=last.reach() {
                all[at + last.reach() - back] = Fused::Later(back);
            }
            all[at + last.reach()] = last;
        }
        at += last.map_or(1, |last| last.reach() + 1);
    }
    all
}

/// Whether nobody but node `reader` asks for the value of node `at`.
fn is_inner(plan: &Plan, at: usize, reader: usize) -> bool {
    let reads = |node: &crate::graph::Node| node.op.reads().iter().filter(|value| value.index() == at).count();
    let graph = plan.graph();
    reads(&graph.nodes[reader]) == 1
        && graph.nodes.iter().map(reads).sum::<usize>() == 1
        && graph.outputs.iter().all(|output| output.index() != at)
}

fn sum(plan: &Plan, at: usize) -> Option<Fused> {
    let nodes = &plan.graph().nodes;
    let (Op::Linear { .. }, Op::Add(a, b)) = (&nodes[at].op, &nodes.get(at + 1)?.op) else { return None };
    let other = if a.index() == at { *b } else { *a };
    is_inner(plan, at, at + 1).then_some(Fused::Sum(other))
}

fn stored(plan: &Plan, at: usize) -> Option<Fused> {
    let nodes = plan.graph().nodes.get(at..at + 4)?;
    let [
        Op::Rope { heads, turn, .. },
        Op::Rope { heads: kv_heads, turn: other, .. },
        Op::Store { x: keys, .. },
        Op::Store { x: values, .. },
    ] = [&nodes[0].op, &nodes[1].op, &nodes[2].op, &nodes[3].op]
    else {
        return None;
    };
    let alike = turn == other && nodes[0].cols / heads == nodes[1].cols / kv_heads && nodes[1].cols == nodes[3].cols;
    let inner = keys.index() == at + 1 && values.index() < at && is_inner(plan, at + 1, at + 2);
    // A word of a cache is two neighbouring channels of one row.
    (alike && inner && nodes[0].cols % 2 == 0 && nodes[1].cols % 2 == 0).then_some(Fused::Stored)
}
