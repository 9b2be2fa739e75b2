//! What runs a plan. `reference` is the meaning of every operation; faster executors must agree with it.

mod any;
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "reference")]
mod reference;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
mod split;

pub use any::AnyExecutor;
pub use cpu::Cpu;
#[cfg(feature = "gpu")]
pub use gpu::Gpu;
#[cfg(feature = "reference")]
pub use reference::Reference;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub use split::Split;

use std::pin::Pin;

use crate::{
    error::Result,
    gguf::Tensor,
    graph::{Live, Plan, Trace},
};

/// A matrix or an index that a call gives.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// f32, row by row.
    Matrix(&'a [f32]),
    /// Token ids, or the rows that [`Op::Rows`](crate::graph::Op::Rows) gathers.
    Index(&'a [u32]),
    /// One token id: the first that [`Op::TopK`](crate::graph::Op::TopK) found in the run before, taken from where it lies.
    /// Only those who run [`Ahead`] take it.
    Found,
}

/// A machine that holds weights and caches and runs plans.
///
/// Running is synchronous; reading a result back is not, because a browser's GPU answers only later.
pub trait Executor {
    /// Takes a weight, to be found by its name.
    ///
    /// # Errors
    /// A model error when there is not enough memory or the type cannot be read.
    fn load(&mut self, name: &str, tensor: Tensor) -> Result<()>;

    /// Runs a plan. Inputs are found by their names in the graph; `trace` records each node.
    ///
    /// # Errors
    /// An internal error naming the node that failed.
    fn run(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)], trace: Option<&mut Trace>) -> Result<()>;

    /// Remembers the recurrent states as they are, in place of what was remembered under this number before.
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    fn keep(&mut self, slot: usize) -> Result<()>;

    /// Makes the recurrent states what they were when they were kept under this number, for a call at that position.
    ///
    /// # Errors
    /// An internal error when nothing was kept under it.
    fn restore(&mut self, slot: usize) -> Result<()>;

    /// Reads output `at` of the last run, row by row.
    ///
    /// # Errors
    /// An internal error when there is no such output.
    fn read(&mut self, at: usize) -> impl Future<Output = Result<Vec<f32>>>;
}

/// The largest number of a row, and its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The column: a token's id.
    pub id: u32,
    /// The number; not a number if any of the row is none.
    pub value: f32,
}

/// A machine that can be told of runs before it has answered those before them, each with the token that the one before
/// found. Any other run gives up what was begun.
pub trait Ahead {
    /// Begins a run of a plan that ranks one row ([`Op::TopK`](crate::graph::Op::TopK)).
    ///
    /// # Errors
    /// As [`Executor::run`].
    fn begin(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)]) -> Result<()>;

    /// Runs that were begun and not yet asked for.
    fn begun(&self) -> usize;

    /// What the earliest of them found; the error is that it failed, or that there is none.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Found>>>>;

    /// Asks for no more of them. What they do to caches and states stands.
    fn give_up(&mut self);
}
