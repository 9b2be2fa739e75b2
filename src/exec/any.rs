//! The executor that was chosen for a session.

#[cfg(feature = "reference")]
use super::Reference;
use super::{Ahead, Cpu, Executor, Input, cpu::pool::Pool};
use crate::{
    error::Result,
    gguf::Tensor,
    graph::{Live, Plan, Trace},
};

/// One of the executors.
pub enum AnyExecutor {
    /// Our kernels on the processor.
    Cpu(Box<Cpu>),
    /// Our kernels on a GPU.
    #[cfg(feature = "gpu")]
    Gpu(Box<super::Gpu>),
    /// Two of them, each for a part of the network.
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    Split(Box<super::Split>),
    /// candle in f32: slow, plain, and what the others are compared with.
    #[cfg(feature = "reference")]
    Reference(Reference),
}

impl AnyExecutor {
    /// The processor, on so many threads.
    pub fn cpu(threads: usize) -> Self {
        Self::Cpu(Box::new(Cpu::new(Pool::new(threads))))
    }

    /// This machine's GPU.
    ///
    /// # Errors
    /// Of kind [`Gpu`](crate::ErrorKind::Gpu) when there is none, or it cannot be used.
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    pub async fn gpu(wish: super::gpu::Wish) -> Result<Self> {
        Ok(Self::Gpu(Box::new(super::Gpu::open(wish).await?)))
    }

    /// The machine, if it runs ahead.
    pub fn ahead(&mut self) -> Option<&mut dyn Ahead> {
        match self {
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => Some(&mut **gpu),
            _ => None,
        }
    }

    /// Whether it can go away, or run out of memory of its own, while the processor could go on.
    pub fn is_gpu(&self) -> bool {
        #[cfg(feature = "gpu")]
        return matches!(self, Self::Gpu(_));
        #[cfg(not(feature = "gpu"))]
        false
    }

    /// Resolves once what was loaded is in its place and can be run.
    ///
    /// # Errors
    /// When a GPU has too little memory, was lost, or cannot run one of the kernels.
    pub async fn ready(&self) -> Result<()> {
        match self {
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.ready().await,
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.ready().await,
            _ => Ok(()),
        }
    }

    /// What it is and what it runs on, for reports.
    pub fn description(&self) -> String {
        match self {
            Self::Cpu(cpu) => {
                let threads = cpu.threads();
                format!("cpu, {}, {threads} thread{}", cpu.isa().name(), if threads == 1 { "" } else { "s" })
            }
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.description(),
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.description(),
            #[cfg(feature = "reference")]
            Self::Reference(_) => "reference".into(),
        }
    }
}

impl Default for AnyExecutor {
    /// The processor, on as many threads as it has cores, but no more than eight: beyond that the memory is what is
    /// waited for.
    fn default() -> Self {
        Self::cpu(std::thread::available_parallelism().map_or(1, usize::from).min(8))
    }
}

impl Executor for AnyExecutor {
    fn load(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        match self {
            Self::Cpu(cpu) => cpu.load(name, tensor),
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.load(name, tensor),
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.load(name, tensor),
            #[cfg(feature = "reference")]
            Self::Reference(reference) => reference.load(name, tensor),
        }
    }

    fn run(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)], trace: Option<&mut Trace>) -> Result<()> {
        match self {
            Self::Cpu(cpu) => cpu.run(plan, live, inputs, trace),
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.run(plan, live, inputs, trace),
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.run(plan, live, inputs, trace),
            #[cfg(feature = "reference")]
            Self::Reference(reference) => reference.run(plan, live, inputs, trace),
        }
    }

    fn keep(&mut self, slot: usize) -> Result<()> {
        match self {
            Self::Cpu(cpu) => cpu.keep(slot),
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.keep(slot),
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.keep(slot),
            #[cfg(feature = "reference")]
            Self::Reference(reference) => reference.keep(slot),
        }
    }

    fn restore(&mut self, slot: usize) -> Result<()> {
        match self {
            Self::Cpu(cpu) => cpu.restore(slot),
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.restore(slot),
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.restore(slot),
            #[cfg(feature = "reference")]
            Self::Reference(reference) => reference.restore(slot),
        }
    }

    async fn read(&mut self, at: usize) -> Result<Vec<f32>> {
        match self {
            Self::Cpu(cpu) => cpu.read(at).await,
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.read(at).await,
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Self::Split(split) => split.read(at).await,
            #[cfg(feature = "reference")]
            Self::Reference(reference) => reference.read(at).await,
        }
    }
}
