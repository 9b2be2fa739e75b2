//! What an executor needs of a GPU: eleven calls, so that a second kind of GPU (a browser's) is a page of code and not a port.
//!
//! Nothing here waits but [`Device::read_now`], which a browser cannot do and traces alone ask for.

use std::pin::Pin;

use super::variant::Features;
use crate::error::{Error, ErrorKind, Result};

/// Bytes that a GPU will have written. It borrows nothing: steps may be submitted and other bytes asked for meanwhile.
pub type Reading = Pin<Box<dyn Future<Output = Result<Vec<u8>>>>>;

/// What a GPU is, for reports, and what it can take.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name.
    pub adapter: String,
    /// What drives it.
    pub driver: String,
    /// Bytes that one binding may reach: 128 MiB on the least.
    pub binding: u64,
    /// Bytes of the largest buffer.
    pub buffer: u64,
    /// What else it can do. A text that exchanges within subgroups must have `enable subgroups;` before it in a browser, and
    /// must not in wgpu: [`Device::pipeline`] sees to that.
    pub features: Features,
}

/// What browsers want before a text of ours, and wgpu refuses.
pub fn prologue(wgsl: &str) -> &'static str {
    if wgsl.contains("subgroup") { "enable subgroups;\n" } else { "" }
}

/// What went wrong on a GPU, sooner or later after the call that caused it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// There was no memory for a buffer.
    Memory(String),
    /// The device is gone: unplugged, reset by its watchdog, or its driver replaced.
    Lost(String),
    /// A call that the GPU's rules forbid.
    Refused(String),
}

impl Fault {
    /// What the person is told.
    pub fn error(self) -> Error {
        match self {
            Self::Memory(why) => Error::of_kind(
                ErrorKind::Memory,
                "The GPU has not enough memory for this model; take a smaller one, or run it on the processor.",
            )
            .because(why),
            Self::Lost(why) => {
                Error::of_kind(ErrorKind::Gpu, "The GPU was lost; start again, or run on the processor.").because(why)
            }
            Self::Refused(why) => Error::internal("The GPU refused a step; report this.").because(why),
        }
    }
}

/// A part of a buffer, in bytes; it begins at a multiple of 256.
pub struct Part<'a, B> {
    /// The buffer.
    pub buffer: &'a B,
    /// Its first byte.
    pub start: u64,
    /// Bytes; a multiple of four.
    pub len: u64,
}

/// One thing that a GPU does, after the one before it.
pub enum Step<'a, D: Device + ?Sized> {
    /// Runs a kernel on so many groups.
    Dispatch {
        /// The kernel.
        pipeline: &'a D::Pipeline,
        /// What it works on.
        bind: &'a D::Bind,
        /// Groups in x, y and z: each at most 65,535, none 0.
        groups: [u32; 3],
    },
    /// Copies the first bytes of one buffer into another.
    Copy {
        /// Where they are.
        source: &'a D::Buffer,
        /// Where they go.
        target: &'a D::Buffer,
        /// How many; a multiple of four.
        bytes: u64,
    },
    /// Makes a buffer zeros.
    Clear(&'a D::Buffer),
}

/// A GPU. Calls that can fail on it do so later: [`Device::fault`] tells.
pub trait Device {
    /// Memory of the GPU.
    type Buffer;
    /// A compiled kernel.
    type Pipeline;
    /// Buffers bound to a kernel.
    type Bind;

    /// What it is.
    fn about(&self) -> &About;

    /// Memory for storage, zeros at first.
    fn buffer(&self, bytes: u64) -> Self::Buffer;

    /// Parameters of kernels, which are read as uniforms.
    fn uniforms(&self, bytes: u64) -> Self::Buffer;

    /// Writes bytes (a multiple of four, from a multiple of four on) before any step that is submitted later.
    fn write(&self, buffer: &Self::Buffer, at: u64, bytes: &[u8]);

    /// Compiles the kernel `main`, with the values of its `override` constants; it may be compiled only later, by when it is
    /// needed.
    fn pipeline(&self, label: &str, wgsl: &str, constants: &[(&str, f64)]) -> Self::Pipeline;

    /// Binds buffers to a kernel, each by its number.
    fn bind(&self, pipeline: &Self::Pipeline, parts: &[(u32, Part<Self::Buffer>)]) -> Self::Bind;

    /// Hands the GPU all steps at once.
    fn submit(&self, steps: &[Step<Self>]);

    /// The same, and reads bytes as these steps leave them; what is submitted later does not change them. They are asked
    /// for at once, whenever the result is awaited; the error is that the device was lost.
    fn submit_and_read(&self, steps: &[Step<Self>], part: Part<Self::Buffer>) -> Reading;

    /// Reads bytes after all steps so far, waiting; `None` where a machine cannot wait.
    ///
    /// # Errors
    /// When the device was lost.
    fn read_now(&self, part: Part<Self::Buffer>) -> Option<Result<Vec<u8>>>;

    /// Resolves when all kernels are compiled and all steps so far are done.
    ///
    /// # Errors
    /// With what has gone wrong by then.
    fn ready(&self) -> impl Future<Output = Result<()>>;

    /// What has gone wrong since this was asked last.
    fn fault(&self) -> Option<Fault>;
}
