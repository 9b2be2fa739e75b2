//! A plan bound to the weights of an executor, and laid out for the sizes of a call: found out once, used every step.

use super::{blocks, weights::Weights};
use crate::{
    error::{Error, Result},
    graph::{Live, Op, Place, Plan, WeightId},
};

/// See the module.
#[derive(Default)]
pub struct Bound {
    plan: u64,
    weights: Vec<usize>,
    /// What `places` are for: tokens, pictures, and whether strips are run pass by pass.
    sizes: Option<(usize, usize, bool)>,
    places: Vec<Option<Place>>,
    /// Elements of the arena that the call needs.
    pub elements: usize,
    /// Whether attention is to multiply bytes: a layer does.
    pub in_bytes: bool,
    /// What kind each node is of; see [`Kinds`](super::kinds::Kinds).
    pub kinds: Vec<Option<usize>>,
}

impl Bound {
    /// Finds the weights of a plan.
    ///
    /// # Errors
    /// An internal error naming a weight that is not loaded.
    pub fn new(plan: &Plan, weights: &mut Weights) -> Result<Self> {
        let graph = plan.graph();
        let found = graph.weights.iter().map(|w| weights.find(&w.name, w.shape)).collect::<Result<Vec<_>>>()?;
        for node in &graph.nodes {
            let small = match node.op {
                Op::Constant(w) => [Some(w), None],
                Op::Norm { weight, bias, .. } => [weight, bias],
                Op::Rope { turn, .. } => [turn.factors, None],
                Op::Delta { rate, .. } => [Some(rate), None],
                Op::Linear { bias, .. } => [bias, None],
                _ => [None, None],
            };
            if let Op::Convolve { weight, .. } = node.op {
                weights.unpack_columns(found[weight.index()])?;
            }
            for weight in small.into_iter().flatten() {
                weights.unpack(found[weight.index()])?;
            }
        }
        let in_bytes = graph.nodes.iter().any(|node| match node.op {
            Op::Linear { weight, .. } => blocks::has(weights[found[weight.index()]].ggml_type),
            _ => false,
        });
        Ok(Self { plan: plan.id(), weights: found, in_bytes, ..Self::default() })
    }

    /// Whether this is of that plan.
    pub fn is_of(&self, plan: &Plan) -> bool {
        self.plan == plan.id()
    }

    /// Lays the values out for a call, in which strips are run pass by pass or not; whether that is another layout than
    /// before. Positions do not matter: what grows with them lies in caches.
    ///
    /// # Errors
    /// A model error when the elements cannot be counted.
    pub fn lay_out(&mut self, plan: &Plan, live: &Live, in_strips: bool) -> Result<bool> {
        let sizes = (live.tokens, live.pictures, in_strips);
        let is_new = self.sizes != Some(sizes);
        if is_new {
            (self.places, self.elements) = if in_strips { plan.places_in_strips(live) } else { plan.places(live) };
            self.sizes = Some(sizes);
        }
        isize::try_from(self.elements * size_of::<f32>()).map(|_| is_new).map_err(|_| {
            Error::model("This model needs more memory than this machine can address; take a smaller one.")
        })
    }

    /// Where the weights have a weight of the plan.
    pub fn weight(&self, id: WeightId) -> usize {
        self.weights[id.index()]
    }

    /// Where in the arena the value of node `at` lies, if it lies there.
    pub fn place(&self, at: usize) -> Option<Place> {
        self.places[at]
    }
}
