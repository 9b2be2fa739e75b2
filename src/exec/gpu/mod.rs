//! The executor for GPUs: our own kernels in WGSL, on any [`Device`].
//!
//! Every value of a graph lies in one buffer, the arena, at the place that the plan gives it; kernels get places as
//! parameters. So a run is one list of dispatches, and what is bound to them changes only when a buffer grows: pipelines and
//! bindings are made once, and a step of decoding writes some kilobytes of parameters and hands the list over.
#![allow(missing_docs, reason = "a kernel's fields are what its WGSL says")]

#[cfg(target_arch = "wasm32")]
mod browser;
mod check;
mod device;
mod fuse;
pub mod kernels;
mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod pack;
mod record;
mod variant;
mod walk;
mod weights;

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
};

use web_time::Instant;

#[cfg(target_arch = "wasm32")]
pub use self::browser::{Browser, Browser as Here, Shim};
#[cfg(not(target_arch = "wasm32"))]
pub use self::native::{Native, Native as Here};
pub use self::{
    device::{About, Device, Fault, Part, Reading, Step, prologue},
    variant::{Features, Variant, Wish},
    weights::Format,
};
use self::{
    fuse::{Fused, fuse},
    kernels::Pipelines,
    memory::{Failure, Memory},
    record::{Record, Slot},
    weights::Weights,
};
use super::{Ahead, Executor, Found, Input, cpu::rope::Tables};
use crate::{
    error::{Error, Result},
    gguf::Tensor,
    graph::{Entry, Live, Op, Place, Plan, Trace, WeightId},
};

/// The executor. See the module.
pub struct Gpu<D: Device = Here> {
    device: D,
    why: Vec<String>,
    pipelines: Pipelines<D>,
    weights: Weights<D>,
    memory: Memory<D>,
    turns: Tables,
    plans: Vec<Bound>,
    binds: HashMap<Bindings, D::Bind>,
    outputs: Vec<Output>,
    dispatches: usize,
    /// What runs that were begun ahead will have found, the earliest first.
    begun: VecDeque<Reading>,
}

/// What is bound to a kernel: its place among the pipelines, its parameters' place, and its buffers.
type Bindings = (usize, usize, Vec<(u32, Slot)>);

/// Where a result of the last run lies: numbers of the arena, or the first rows of a cache.
#[derive(Clone, Copy)]
enum Output {
    Arena(Place),
    Cache { id: usize, rows: usize, cols: usize },
}

impl Output {
    /// Its numbers, from the bytes that lie there.
    fn numbers(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::Arena(_) => bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            Self::Cache { cols, .. } => {
                let half = |x: &[u8; 2]| half::f16::from_le_bytes(*x).to_f32();
                let rows = bytes.chunks_exact(cols.next_multiple_of(2).max(2) * 2);
                rows.flat_map(|row| row.as_chunks().0[..cols].iter().map(half)).collect()
            }
        }
    }
}

/// A plan bound to weights, and laid out for the sizes of a call.
#[derive(Default)]
pub struct Bound {
    plan: u64,
    /// Whether neighbouring nodes are computed together, as they are unless each is to be seen.
    whole: bool,
    fused: Vec<Fused>,
    weights: Vec<usize>,
    /// The sizes that `places` are for.
    sizes: Option<(usize, usize)>,
    places: Vec<Option<Place>>,
    /// Where a node may keep what only it needs.
    scratch: usize,
    elements: usize,
}

impl Bound {
    fn weight(&self, id: WeightId) -> usize {
        self.weights[id.index()]
    }

    fn place(&self, at: usize) -> Option<Place> {
        self.places[at]
    }

    /// Lays the values out as the plan does. After them come constants, which it leaves out, and inputs, which are written
    /// before the first kernel runs and must not lie where one writes a value that is dead when the input is first needed.
    fn lay_out(&mut self, plan: &Plan, live: &Live) {
        let sizes = (live.tokens, live.pictures);
        if self.sizes == Some(sizes) {
            return;
        }
        (self.places, self.elements) = plan.places_of_groups(live, |at| {
            let last = if let Fused::Later(by) = self.fused[at] { at + by } else { at };
            last - self.fused[last].reach()
        });
        for (place, node) in self.places.iter_mut().zip(&plan.graph().nodes) {
            if let Op::Constant(_) | Op::Input(_) = node.op {
                let len = node.rows.resolve(live) * node.cols;
                *place = Some(Place { start: self.elements, len });
                self.elements += len;
            }
        }
        self.scratch = self.elements;
        let read = |value: crate::graph::Value| plan.graph().nodes[value.index()].cols;
        self.elements += plan.graph().nodes.iter().map(|node| walk::scratch(node, read, live)).max().unwrap_or(0);
        self.sizes = Some(sizes);
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Gpu<Native> {
    /// On this machine's GPU.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub async fn open(wish: Wish) -> Result<Self> {
        Ok(Self::on(Native::open().await?, wish))
    }
}

impl<D: Device> Gpu<D> {
    /// On this device, with what of its features is wanted.
    pub fn on(device: D, wish: Wish) -> Self {
        let (variant, why) = Variant::choose(&device.about().features, wish);
        Self {
            device,
            why,
            pipelines: Pipelines::new(variant),
            weights: Weights::default(),
            memory: Memory::default(),
            turns: Tables::default(),
            plans: Vec::new(),
            binds: HashMap::new(),
            outputs: Vec::new(),
            dispatches: 0,
            begun: VecDeque::new(),
        }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device again, on which nothing of this executor's is left.
    pub fn into_device(self) -> D {
        self.device
    }

    /// Resolves once the weights are in their places and the kernels known so far are compiled.
    ///
    /// # Errors
    /// When there is too little memory, the device was lost, or a kernel was refused.
    pub async fn ready(&self) -> Result<()> {
        self.device.ready().await
    }

    /// The GPU, what drives it, and which of the kernels' variants is used.
    pub fn description(&self) -> String {
        let About { adapter, driver, .. } = self.device.about();
        format!("gpu, {adapter}, {driver}, {}", self.kernels())
    }

    /// Which of the kernels' variants is used.
    pub fn kernels(&self) -> String {
        self.pipelines.variant().name()
    }

    /// Why this variant: a reason for each feature that is used or not.
    pub fn why(&self) -> &[String] {
        &self.why
    }

    /// Waits until the last run is done, where the machine can wait.
    ///
    /// # Errors
    /// When the device was lost.
    pub fn wait(&self) -> Result<()> {
        self.wait_for(self.outputs.first().copied(), false).map(drop)
    }

    /// How many times the last run had a kernel start: what a step of decoding waits for.
    pub fn dispatches(&self) -> usize {
        self.dispatches
    }

    /// The plan's place among those bound.
    fn bind(&mut self, plan: &Plan, whole: bool) -> Result<usize> {
        if let Some(at) = self.plans.iter().position(|bound| (bound.plan, bound.whole) == (plan.id(), whole)) {
            return Ok(at);
        }
        let find = |w: &crate::graph::Weight| self.weights.find(&w.name, w.shape);
        let weights = plan.graph().weights.iter().map(find).collect::<Result<_>>()?;
        let fused = if whole { fuse(plan) } else { vec![Fused::Alone; plan.graph().nodes.len()] };
        self.plans.push(Bound { plan: plan.id(), whole, fused, weights, ..Bound::default() });
        Ok(self.plans.len() - 1)
    }

    fn find(plan: &Plan, bound: &Bound, live: &Live, at: usize) -> Option<Output> {
        let node = &plan.graph().nodes[at];
        Some(match node.op {
            Op::Store { cache, .. } => {
                Output::Cache { id: cache.0 as usize, rows: node.rows.resolve(live), cols: node.cols }
            }
            _ => Output::Arena(bound.place(at)?),
        })
    }

    /// Where a result lies on the device; `None` when it has no numbers, or there is none.
    fn part(&self, output: Output) -> Option<Part<'_, D::Buffer>> {
        let (held, start, len) = match output {
            Output::Arena(place) => (self.memory.arena.as_ref()?, place.start, place.len),
            Output::Cache { id, rows, cols } => (self.memory.cache(id)?, 0, rows * cols.div_ceil(2)),
        };
        (len > 0).then(|| Part { buffer: &held.buffer, start: start as u64 * 4, len: len as u64 * 4 })
    }

    fn run_bound(
        &mut self,
        plan: &Plan,
        bound: &mut Bound,
        live: &Live,
        inputs: &[(&str, Input)],
        trace: &mut Option<&mut Trace>,
        ahead: bool,
    ) -> Result<()> {
        self.outputs.clear();
        bound.lay_out(plan, live);
        self.memory.reserve_arena(&self.device, bound.elements)?;
        let call = walk::Call { plan, bound, live, inputs };
        let mut record = Record::default();
        for (at, node) in plan.graph().nodes.iter().enumerate() {
            let start = trace.is_some().then(Instant::now);
            let how = self.node(&call, at, &mut record).map_err(|failure| match failure {
                Failure::Error(error) => error,
                Failure::Why(why) => {
                    Error::internal(format!("The step `{}` failed; report this.", node.name)).because(why)
                }
            })?;
            let (Some(trace), Some(start)) = (trace.as_deref_mut(), start) else { continue };
            // Traced, each node is a submission of its own, and waited for.
            self.submit(&std::mem::take(&mut record), false)?;
            let values = self.wait_for(Self::find(plan, bound, live, at), trace.keep_values)?;
            trace.entries.push(Entry {
                name: node.name.clone(),
                label: plan.graph().label(at),
                shape: [node.rows.resolve(live), node.cols],
                how,
                ms: start.elapsed().as_secs_f64() * 1e3,
                values,
            });
        }
        self.dispatches = record.works.len();
        let reading = self.submit(&record, ahead)?;
        self.begun.extend(reading);
        self.outputs.extend(plan.graph().outputs.iter().filter_map(|v| Self::find(plan, bound, live, v.index())));
        Ok(())
    }

    /// Hands the device all that was recorded; what it finds, if that is to be read.
    fn submit(&mut self, record: &Record, read: bool) -> Result<Option<Reading>> {
        self.memory.reserve_given(&self.device, record.given.len(), record.works.len())?;
        if std::mem::take(&mut self.memory.moved) {
            self.binds.clear();
        }
        let Self { device, pipelines, weights, memory, binds, .. } = self;
        let (Some(arena), Some(given), Some(params), Some(found)) =
            (&memory.arena, &memory.given, &memory.params, &memory.found)
        else {
            return Err(Error::internal("The GPU's memory was not reserved; report this."));
        };
        for (start, numbers) in &record.inputs {
            device.write(&arena.buffer, *start as u64 * 4, &bytes(numbers.iter().map(|x| x.to_bits())));
        }
        device.write(&given.buffer, 0, &bytes(record.given.iter().copied()));
        let mut all = vec![0; record.works.len() * 256];
        let mut listed = Vec::with_capacity(record.works.len());
        for (at, work) in record.works.iter().enumerate() {
            let own = bytes(work.params.iter().copied());
            all[at * 256..][..own.len()].copy_from_slice(&own);
            let pipeline = pipelines.find(device, &work.shader);
            let key = (pipeline, at, work.slots.clone());
            if !binds.contains_key(&key) {
                let slot = |&(binding, slot): &(u32, Slot)| {
                    let part = match slot {
                        Slot::Given => Some(given.whole()),
                        Slot::Found => Some(found.whole()),
                        Slot::Cache(id) => memory.cache(id).map(memory::Held::whole),
                        Slot::State(id) => memory.state(id).map(memory::Held::whole),
                        Slot::Weight { at, part, stream } => {
                            let rows = &weights[at].parts[part];
                            let (start, len) = rows.streams[stream];
                            Some(Part { buffer: &rows.buffer, start, len })
                        }
                    };
                    part.map(|part| (binding, part))
                };
                let own = Part { buffer: &params.buffer, start: at as u64 * 256, len: 256 };
                let mut parts = vec![(0, own), (1, arena.whole())];
                parts.extend(work.slots.iter().filter_map(slot));
                binds.insert(key.clone(), device.bind(pipelines.get(pipeline), &parts));
            }
            listed.push((pipeline, key, work.groups));
        }
        device.write(&params.buffer, 0, &all);
        let clears = record.clears.iter().filter_map(|&id| memory.state(id)).map(|state| Step::Clear(&state.buffer));
        let dispatches = listed.iter().map(|(pipeline, key, groups)| Step::Dispatch {
            pipeline: pipelines.get(*pipeline),
            bind: &binds[key],
            groups: *groups,
        });
        let steps = clears.chain(dispatches).collect::<Vec<_>>();
        let reading = if read {
            Some(device.submit_and_read(&steps, Part { buffer: &found.buffer, start: 0, len: 8 }))
        } else {
            device.submit(&steps);
            None
        };
        device.fault().map_or(Ok(reading), |fault| Err(fault.error()))
    }

    fn run_plan(
        &mut self,
        plan: &Plan,
        live: &Live,
        inputs: &[(&str, Input)],
        mut trace: Option<&mut Trace>,
        ahead: bool,
    ) -> Result<()> {
        let at = self.bind(plan, trace.is_none())?;
        // Taken out while the nodes run: they need the rest of the executor whole.
        let mut bound = std::mem::take(&mut self.plans[at]);
        let result = self.run_bound(plan, &mut bound, live, inputs, &mut trace, ahead);
        self.plans[at] = bound;
        result
    }

    /// Waits for a result, where the machine can wait; its numbers if they are wanted.
    fn wait_for(&self, output: Option<Output>, wanted: bool) -> Result<Option<Vec<f32>>> {
        let Some((output, mut part)) = output.and_then(|output| Some((output, self.part(output)?))) else {
            return Ok(wanted.then(Vec::new));
        };
        if !wanted {
            part.len = 4;
        }
        let read = self.device.read_now(part).transpose()?;
        Ok(read.filter(|_| wanted).map(|bytes| output.numbers(&bytes)))
    }
}

impl<D: Device> Executor for Gpu<D> {
    fn load(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        self.plans.clear();
        self.binds.clear();
        self.turns = Tables::default();
        self.weights.insert(&self.device, name, tensor)
    }

    fn run(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)], trace: Option<&mut Trace>) -> Result<()> {
        self.begun.clear();
        self.run_plan(plan, live, inputs, trace, false)
    }

    fn keep(&mut self, slot: usize) -> Result<()> {
        self.memory.keep(&self.device, slot)
    }

    fn restore(&mut self, slot: usize) -> Result<()> {
        self.memory.restore(&self.device, slot)
    }

    async fn read(&mut self, at: usize) -> Result<Vec<f32>> {
        let output = self.outputs.get(at).copied();
        let output = output.ok_or_else(|| Error::internal("A result was read that no run left; report this."))?;
        match self.part(output) {
            None => Ok(vec![]),
            Some(part) => self.device.submit_and_read(&[], part).await.map(|bytes| output.numbers(&bytes)),
        }
    }
}

impl<D: Device> Ahead for Gpu<D> {
    fn begin(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)]) -> Result<()> {
        self.run_plan(plan, live, inputs, None, true)
    }

    fn begun(&self) -> usize {
        self.begun.len()
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Found>>>> {
        let reading = self.begun.pop_front();
        Box::pin(async move {
            let missing = || Error::internal("A step was awaited that was not begun; report this.");
            let bytes = reading.ok_or_else(missing)?.await?;
            match bytes.as_chunks().0 {
                [id, value] => Ok(Found { id: u32::from_le_bytes(*id), value: f32::from_le_bytes(*value) }),
                _ => Err(missing()),
            }
        })
    }

    fn give_up(&mut self) {
        self.begun.clear();
    }
}

fn bytes(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}
