//! A graph cut in two, for two machines that run it one after the other.

use super::{Graph, Node, Op, Rows, Value};

/// What a value is called that the second half is given of the first, in order.
const HANDED: [&str; 8] =
    ["handed 0", "handed 1", "handed 2", "handed 3", "handed 4", "handed 5", "handed 6", "handed 7"];

/// The halves of a graph. Nodes and weights have the same places in each as in the whole.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The first node of the second half.
    pub at: usize,
    /// The nodes before it. What is handed over is put out first, then what the whole puts out.
    pub before: Graph,
    /// The nodes from it on; those before are inputs, or nothing.
    pub after: Graph,
    /// The inputs of the second half that are outputs of the first, in order.
    pub handed: Vec<&'static str>,
}

impl Graph {
    /// Cuts before node `at`, or a little earlier: keys and values are stored where they are read, so that no cache has to be
    /// handed over. `None` when more values would have to be than there are names for.
    pub fn cut(&self, mut at: usize) -> Option<Cut> {
        let read = |from: usize| self.nodes[from..].iter().flat_map(|node| node.op.reads());
        let is_store = |value: &Value| matches!(self.nodes[value.index()].op, Op::Store { .. });
        while let Some(store) = read(at).filter(is_store).map(Value::index).min().filter(|store| *store < at) {
            at = store;
        }
        let mut handed: Vec<Value> = read(at).filter(|value| value.index() < at).collect();
        handed.sort_unstable();
        handed.dedup();
        // What is given to the whole is given to each half.
        handed.retain(|value| !matches!(self.nodes[value.index()].op, Op::Input(_) | Op::Constant(_)));
        let names = HANDED.get(..handed.len())?.to_vec();
        let (early, late): (Vec<Value>, Vec<Value>) = self.outputs.iter().partition(|value| value.index() < at);
        let before = Graph {
            nodes: self.nodes[..at].to_vec(),
            weights: self.weights.clone(),
            outputs: handed.iter().chain(&early).copied().collect(),
        };
        let mut nodes = self.nodes.clone();
        for (place, node) in nodes[..at].iter_mut().enumerate() {
            match (handed.iter().position(|value| value.index() == place), &node.op) {
                (Some(name), _) => node.op = Op::Input(names[name]),
                (None, Op::Input(_) | Op::Constant(_)) => {}
                (None, _) => *node = Node { op: Op::Input("nothing"), rows: Rows::Fixed(0), ..node.clone() },
            }
        }
        let after = Graph { nodes, weights: self.weights.clone(), outputs: late };
        Some(Cut { at, before, after, handed: names })
    }
}
