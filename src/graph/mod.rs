//! What a model computes, written once: a list of operations on matrices, run by any executor many times.
//!
//! Every value is a matrix `[rows, cols]` of f32. `cols` is known when the graph is built; `rows` may depend on the
//! call ([`Rows`]), so that one plan serves every step of decoding and one every chunk of a prompt. Model code that
//! builds a graph knows no device, and an executor that runs one knows no model.

mod build;
mod cut;
mod op;
mod plan;
mod strips;
mod trace;

pub use build::{Builder, Graph, Node, Weight, WeightId};
pub use cut::Cut;
pub use op::{Act, CacheId, Live, Mask, NormKind, Op, RopeKind, Rows, StateId, Turn, Value};
pub use plan::{Place, Plan};
pub use strips::Strip;
pub use trace::{Entry, Trace, first_difference};
