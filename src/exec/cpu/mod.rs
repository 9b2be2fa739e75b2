//! The executor for machines without a GPU: our own kernels, on all cores.
//!
//! Weights stay as their files hold them ([`blocks`]); activations are quantised once for all the layers that read them
//! ([`quantise`]); every kernel is written once, for vectors of 128 bits ([`simd`]), and compiled for each machine
//! ([`isa`]). A step like the one before it allocates nothing.
#![allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "a kernel says what its arguments are in one sentence; that they must lie where it says goes for all of them"
)]

pub mod activate;
mod arena;
pub mod attend;
pub mod bench;
pub mod blocks;
mod bound;
pub mod convolve;
pub mod delta;
pub mod gemm;
pub mod gemv;
pub mod halves;
pub mod isa;
mod kinds;
mod linear;
mod machine;
pub mod math;
pub mod norm;
pub mod pool;
pub mod quantise;
pub mod rope;
pub mod sgemm;
pub mod simd;
mod states;
pub mod topk;
mod walk;
mod weights;

use web_time::Instant;

use self::{
    arena::Arena, bound::Bound, halves::HalfCache, isa::Isa, kinds::Kinds, machine::Machine, pool::Pool, rope::Tables,
    states::States, weights::Weights,
};
use super::{Executor, Input};
use crate::{
    error::{Error, Result},
    gguf::Tensor,
    graph::{Entry, Live, Op, Plan, Trace},
};

/// The executor. See the module.
pub struct Cpu {
    machine: Machine,
    weights: Weights,
    arena: Arena,
    caches: Vec<HalfCache>,
    states: States,
    turns: Tables,
    plans: Vec<Bound>,
    kinds: Kinds,
    outputs: Vec<Output>,
}

/// Where a result of the last run lies.
enum Output {
    Arena(crate::graph::Place),
    Weight(usize),
    Cache { at: usize, len: usize },
}

impl Cpu {
    /// On these threads, with the best instructions of this machine.
    pub fn new(pool: Pool) -> Self {
        Self::with(Isa::detect(), pool)
    }

    /// On these threads, with these instructions.
    pub fn with(isa: Isa, pool: Pool) -> Self {
        Self {
            machine: Machine::new(isa, pool),
            weights: Weights::default(),
            arena: Arena::default(),
            caches: Vec::new(),
            states: States::default(),
            turns: Tables::default(),
            plans: Vec::new(),
            kinds: Kinds::default(),
            outputs: Vec::new(),
        }
    }

    /// The instructions it uses.
    pub fn isa(&self) -> Isa {
        self.machine.isa
    }

    /// The threads it uses.
    pub fn threads(&self) -> usize {
        self.machine.pool.threads()
    }

    /// The plan's place among those bound.
    fn bind(&mut self, plan: &Plan) -> Result<usize> {
        if let Some(at) = self.plans.iter().position(|bound| bound.is_of(plan)) {
            return Ok(at);
        }
        self.plans.push(Bound::new(plan, &mut self.weights)?);
        Ok(self.plans.len() - 1)
    }

    fn output(&self, at: usize) -> Option<Vec<f32>> {
        Some(match *self.outputs.get(at)? {
            Output::Arena(place) => self.arena.read(place).to_vec(),
            Output::Weight(at) => self.weights[at].floats.clone(),
            Output::Cache { at, len } => {
                let held = self.caches[at].rows().get(..len)?;
                let mut rows = vec![0.0; len];
                self.machine.isa.run(halves::FromHalves { x: held, y: &mut rows });
                rows
            }
        })
    }

    fn find(&self, plan: &Plan, bound: &Bound, live: &Live, at: usize) -> Option<Output> {
        let node = &plan.graph().nodes[at];
        Some(match node.op {
            Op::Constant(id) => Output::Weight(bound.weight(id)),
            Op::Store { cache, .. } => Output::Cache { at: cache.0 as usize, len: node.rows.resolve(live) * node.cols },
            _ => Output::Arena(bound.place(at)?),
        })
    }
}

impl Executor for Cpu {
    fn load(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        self.plans.clear();
        self.turns = Tables::default();
        self.weights.insert(name, tensor)
    }

    fn run(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)], mut trace: Option<&mut Trace>) -> Result<()> {
        let at = self.bind(plan)?;
        // Taken out while the nodes run: they need the rest of the executor whole.
        let mut bound = std::mem::take(&mut self.plans[at]);
        let result = self.run_bound(plan, &mut bound, live, inputs, &mut trace);
        self.plans[at] = bound;
        result
    }

    fn keep(&mut self, slot: usize) -> Result<()> {
        self.states.keep(slot)
    }

    fn restore(&mut self, slot: usize) -> Result<()> {
        self.states.restore(slot)
    }

    async fn read(&mut self, at: usize) -> Result<Vec<f32>> {
        self.output(at).ok_or_else(|| Error::internal("A result was read that no run left; report this."))
    }
}

impl Cpu {
    fn run_bound(
        &mut self,
        plan: &Plan,
        bound: &mut Bound,
        live: &Live,
        inputs: &[(&str, Input)],
        trace: &mut Option<&mut Trace>,
    ) -> Result<()> {
        self.outputs.clear();
        // A trace shows each value whole.
        let in_strips = trace.is_none();
        if bound.lay_out(plan, live, in_strips)? {
            bound.kinds = self.kinds.of(plan, bound, &self.weights, live);
        }
        self.arena.reserve(bound.elements)?;
        self.machine.quantised = None;
        let mut call = walk::Call { plan, bound, live, inputs, pass: None };
        let mut strips = plan.strips().iter().filter(|_| in_strips).peekable();
        let mut at = 0;
        while at < plan.graph().nodes.len() {
            let Some(strip) = strips.next_if(|strip| strip.nodes.start == at) else {
                self.timed_node(&call, at, trace)?;
                at += 1;
                continue;
            };
            for rows in strip.passes() {
                call.pass = Some((strip, rows));
                strip.nodes.clone().try_for_each(|at| self.timed_node(&call, at, trace))?;
                // Of the same value, but of other rows.
                self.machine.quantised = None;
            }
            (call.pass, at) = (None, strip.nodes.end);
        }
        self.outputs.clear();
        for output in &plan.graph().outputs {
            let found = self.find(plan, bound, live, output.index());
            self.outputs.extend(found);
        }
        Ok(())
    }

    fn timed_node(&mut self, call: &walk::Call, at: usize, trace: &mut Option<&mut Trace>) -> Result<()> {
        let (graph, start) = (call.plan.graph(), trace.is_some().then(Instant::now));
        let node = &graph.nodes[at];
        let rows = call.pass_rows().unwrap_or(node.rows.resolve(call.live));
        let begun = call.bound.kinds[at].and_then(|kind| self.machine.pool.begin(kind, rows));
        let how = self.node(call, at);
        self.machine.pool.end(begun);
        let how =
            how.map_err(|why| Error::internal(format!("The step `{}` failed; report this.", node.name)).because(why))?;
        let (Some(trace), Some(start)) = (trace.as_deref_mut(), start) else { return Ok(()) };
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let values = trace.keep_values.then(|| {
            self.outputs.clear();
            self.outputs.extend(self.find(call.plan, call.bound, call.live, at));
            self.output(0).unwrap_or_default()
        });
        let shape = [node.rows.resolve(call.live), node.cols];
        trace.entries.push(Entry { name: node.name.clone(), label: graph.label(at), shape, how, ms, values });
        Ok(())
    }
}
