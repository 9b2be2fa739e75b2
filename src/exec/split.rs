//! Two machines that share a network: one runs the nodes before a certain one, the other that node and all after it. Where an
//! answer goes wrong when a node moves from one to the other, that node is computed wrongly.

use std::{
    collections::HashMap,
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::{AnyExecutor, Executor, Input};
use crate::{
    error::{Error, Result},
    gguf::Tensor,
    graph::{Cut, Graph, Live, Op, Plan, Trace},
};

/// The two, and how each plan was divided between them.
pub struct Split {
    before: AnyExecutor,
    after: AnyExecutor,
    node: String,
    plans: Vec<(u64, Halves)>,
    /// Which of the two holds what is kept from call to call.
    holders: HashMap<Held, Side>,
    /// Where each output of the last run is, and its place there.
    outputs: Vec<(Side, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// A cache or a state, by its number.
#[derive(PartialEq, Eq, Hash)]
enum Held {
    Cache(u32),
    State(u32),
}

/// A plan, divided.
enum Halves {
    Whole(Side),
    Two(Box<Two>),
}

struct Two {
    before: Plan,
    after: Plan,
    cut: Cut,
}

impl Split {
    /// `before` runs what comes before `node` (see [`Graph::find`]), `after` the rest. A plan that has no such node runs on
    /// `before` until one with it has come, and on `after` from then on.
    pub fn new(before: AnyExecutor, after: AnyExecutor, node: impl Into<String>) -> Self {
        let (node, plans, holders, outputs) = (node.into(), Vec::new(), HashMap::new(), Vec::new());
        Self { before, after, node, plans, holders, outputs }
    }

    /// Both, and where the second begins.
    pub fn description(&self) -> String {
        format!("{}; from {} on {}", self.before.description(), self.node, self.after.description())
    }

    /// Resolves once both can run.
    ///
    /// # Errors
    /// As [`AnyExecutor::ready`].
    pub async fn ready(&self) -> Result<()> {
        Box::pin(self.before.ready()).await?;
        Box::pin(self.after.ready()).await
    }

    /// The place of a plan among those divided.
    fn divide(&mut self, plan: &Plan) -> Result<usize> {
        if let Some(at) = self.plans.iter().position(|(id, _)| *id == plan.id()) {
            return Ok(at);
        }
        let graph = plan.graph();
        let halves = match graph.find(&self.node) {
            None if self.plans.iter().any(|(_, halves)| matches!(halves, Halves::Two(_))) => Halves::Whole(Side::After),
            None => Halves::Whole(Side::Before),
            Some(at) => {
                let cut = graph.cut(at).ok_or_else(|| self.impossible("too many values would be handed over"))?;
                let [before, after] = [&cut.before, &cut.after].map(|half| Plan::new(half.clone()));
                Halves::Two(Box::new(Two { before, after, cut }))
            }
        };
        self.hold(graph, &halves)?;
        self.plans.push((plan.id(), halves));
        Ok(self.plans.len() - 1)
    }

    /// Sees to it that what is kept from call to call lies on one of the two for all plans.
    fn hold(&mut self, graph: &Graph, halves: &Halves) -> Result<()> {
        for (at, node) in graph.nodes.iter().enumerate() {
            let held = match node.op {
                Op::Store { cache, .. } => Held::Cache(cache.0),
                Op::Convolve { state, .. } | Op::Delta { state, .. } => Held::State(state.0),
                _ => continue,
            };
            let side = match halves {
                Halves::Whole(side) => *side,
                Halves::Two(two) if at < two.cut.at => Side::Before,
                Halves::Two(_) => Side::After,
            };
            if *self.holders.entry(held).or_insert(side) != side {
                return Err(self.impossible("what the network remembers would lie on both machines"));
            }
        }
        Ok(())
    }

    fn impossible(&self, why: &str) -> Error {
        Error::usage(format!("The network cannot be cut at `{}`: {why}. Name another node.", self.node))
    }

    fn side(&mut self, side: Side) -> &mut AnyExecutor {
        match side {
            Side::Before => &mut self.before,
            Side::After => &mut self.after,
        }
    }
}

impl Executor for Split {
    fn load(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        self.before.load(name, tensor.clone())?;
        self.after.load(name, tensor)
    }

    fn run(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)], mut trace: Option<&mut Trace>) -> Result<()> {
        let at = self.divide(plan)?;
        let Self { before, after, plans, outputs, .. } = self;
        let all = 0..plan.graph().outputs.len();
        let two = match &plans[at].1 {
            Halves::Whole(side) => {
                let side = *side;
                *outputs = all.map(|output| (side, output)).collect();
                return self.side(side).run(plan, live, inputs, trace);
            }
            Halves::Two(two) => two,
        };
        before.run(&two.before, live, inputs, trace.as_deref_mut())?;
        let names = two.cut.handed.iter().enumerate();
        let handed = names.map(|(at, name)| Ok((*name, now(before.read(at))?))).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<_> = inputs
            .iter()
            .copied()
            .chain([("nothing", Input::Matrix(&[]))])
            .chain(handed.iter().map(|(name, values)| (*name, Input::Matrix(values))))
            .collect();
        let entries = trace.as_ref().map_or(0, |trace| trace.entries.len());
        after.run(&two.after, live, &inputs, trace.as_deref_mut())?;
        // The nodes of the first half are in the trace already.
        if let Some(trace) = trace {
            trace.entries.drain(entries..entries + two.cut.at);
        }
        let (mut early, mut late) = (handed.len().., 0..);
        let place = |value: &crate::graph::Value| {
            if value.index() < two.cut.at { (Side::Before, early.next()) } else { (Side::After, late.next()) }
        };
        *outputs = plan.graph().outputs.iter().map(place).filter_map(|(side, at)| Some((side, at?))).collect();
        Ok(())
    }

    fn keep(&mut self, slot: usize) -> Result<()> {
        self.before.keep(slot)?;
        self.after.keep(slot)
    }

    fn restore(&mut self, slot: usize) -> Result<()> {
        self.before.restore(slot)?;
        self.after.restore(slot)
    }

    async fn read(&mut self, at: usize) -> Result<Vec<f32>> {
        let output = self.outputs.get(at).copied();
        let (side, at) = output.ok_or_else(|| Error::internal("A result was read that no run left; report this."))?;
        Box::pin(self.side(side).read(at)).await
    }
}

/// What a machine answers that waits by itself, as all do outside of browsers.
fn now<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::internal("A machine did not answer at once; report this.")),
    }
}
