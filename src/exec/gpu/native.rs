//! A GPU of this machine, over Vulkan.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
};

use super::{
    device::{About, Device, Fault, Part, Reading, Step},
    variant::Features,
};
use crate::error::{Error, ErrorKind, Result};

/// A device, and its queue of steps.
pub struct Native {
    device: wgpu::Device,
    queue: wgpu::Queue,
    about: About,
    fault: Arc<Mutex<Option<Fault>>>,
}

/// What is told once, from whatever thread.
#[derive(Default)]
struct Told {
    value: Option<std::result::Result<(), String>>,
    waker: Option<Waker>,
}

fn set<T>(cell: &Mutex<T>, change: impl FnOnce(&mut T)) {
    change(&mut cell.lock().unwrap_or_else(PoisonError::into_inner));
}

/// What has gone wrong since this was asked last. A lost device says so only when it is asked and has nothing left to do, and
/// all else failed because of that.
fn taken(device: &wgpu::Device, fault: &Mutex<Option<Fault>>) -> Option<Fault> {
    let take = || fault.lock().unwrap_or_else(PoisonError::into_inner).take();
    let early = take()?;
    device.poll(wgpu::PollType::wait_indefinitely()).ok();
    Some(take().unwrap_or(early))
}

impl Native {
    /// The GPU that is best for long work; a software one (lavapipe) counts where there is no other.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub async fn open() -> Result<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::VULKAN;
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = wgpu::Instance::new(descriptor).request_adapter(&options).await.map_err(|why| {
            Error::of_kind(
                ErrorKind::Gpu,
                "No GPU with Vulkan was found: install its driver (in software, Debian's mesa-vulkan-drivers), or run on the \
                 processor.",
            )
            .because(why)
        })?;
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let optional = adapter.features() & (wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP);
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: limits.clone(),
            required_features: optional,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|why| {
            Error::of_kind(ErrorKind::Gpu, format!("The GPU {} could not be opened; run on the processor.", info.name))
                .because(why)
        })?;
        let fault = Arc::new(Mutex::new(None));
        let (uncaptured, lost) = (Arc::clone(&fault), Arc::clone(&fault));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let told = match &error {
                wgpu::Error::OutOfMemory { .. } => Fault::Memory(error.to_string()),
                _ => Fault::Refused(error.to_string()),
            };
            set(&uncaptured, |fault| _ = fault.get_or_insert(told));
        }));
        device.set_device_lost_callback(move |reason, why| {
            // Whatever else failed failed because of this.
            set(&lost, |fault| *fault = Some(Fault::Lost(format!("{reason:?}: {why}"))));
        });
        let driver = [info.driver, info.driver_info].join(" ").trim().to_owned();
        let about = About {
            adapter: info.name,
            driver,
            binding: limits.max_storage_buffer_binding_size,
            buffer: limits.max_buffer_size,
            features: Features {
                f16: optional.contains(wgpu::Features::SHADER_F16),
                subgroups: optional
                    .contains(wgpu::Features::SUBGROUP)
                    .then_some((info.subgroup_min_size, info.subgroup_max_size)),
                // Part of the language; a GPU without the instruction is given others for it.
                dot4: true,
            },
        };
        Ok(Self { device, queue, about, fault })
    }

    /// As if one binding could reach no more than so many bytes: to see what a lesser GPU would do.
    pub fn limited(mut self, binding: u64) -> Self {
        self.about.binding = self.about.binding.min(binding);
        self
    }

    /// Bytes of the GPU's memory that are in use once all is done, if its driver's allocator tells.
    pub fn allocated(&self) -> Option<u64> {
        self.device.poll(wgpu::PollType::wait_indefinitely()).ok();
        self.device.generate_allocator_report().map(|report| report.total_allocated_bytes)
    }

    /// Gives the GPU up, as if it were lost.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    fn make(&self, bytes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.next_multiple_of(16),
            usage: usage | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    fn encode(&self, steps: &[Step<Self>]) -> wgpu::CommandEncoder {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut rest = steps;
        // Neighbouring dispatches share a pass.
        while let Some(first) = rest.first() {
            match first {
                Step::Copy { source, target, bytes } => encoder.copy_buffer_to_buffer(source, 0, target, 0, *bytes),
                Step::Clear(buffer) => encoder.clear_buffer(buffer, 0, None),
                Step::Dispatch { .. } => {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    while let Some(Step::Dispatch { pipeline, bind, groups: [x, y, z] }) = rest.first() {
                        pass.set_pipeline(pipeline);
                        pass.set_bind_group(0, *bind, &[]);
                        pass.dispatch_workgroups(*x, *y, *z);
                        rest = &rest[1..];
                    }
                    continue;
                }
            }
            rest = &rest[1..];
        }
        encoder
    }
}

impl Device for Native {
    type Buffer = wgpu::Buffer;
    type Pipeline = wgpu::ComputePipeline;
    type Bind = wgpu::BindGroup;

    fn about(&self) -> &About {
        &self.about
    }

    fn buffer(&self, bytes: u64) -> wgpu::Buffer {
        self.make(bytes, wgpu::BufferUsages::STORAGE)
    }

    fn uniforms(&self, bytes: u64) -> wgpu::Buffer {
        self.make(bytes, wgpu::BufferUsages::UNIFORM)
    }

    fn write(&self, buffer: &wgpu::Buffer, at: u64, bytes: &[u8]) {
        self.queue.write_buffer(buffer, at, bytes);
    }

    fn pipeline(&self, label: &str, wgsl: &str, constants: &[(&str, f64)]) -> wgpu::ComputePipeline {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
            cache: None,
        })
    }

    fn bind(&self, pipeline: &wgpu::ComputePipeline, parts: &[(u32, Part<wgpu::Buffer>)]) -> wgpu::BindGroup {
        let entries: Vec<_> = parts
            .iter()
            .map(|(binding, part)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: part.buffer,
                    offset: part.start,
                    size: std::num::NonZero::new(part.len),
                }),
            })
            .collect();
        let layout = pipeline.get_bind_group_layout(0);
        self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries })
    }

    fn submit(&self, steps: &[Step<Self>]) {
        self.queue.submit([self.encode(steps).finish()]);
    }

    fn submit_and_read(&self, steps: &[Step<Self>], part: Part<'_, wgpu::Buffer>) -> Reading {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: None, size: part.len, usage, mapped_at_creation: false };
        let staging = self.device.create_buffer(&descriptor);
        let mut encoder = self.encode(steps);
        encoder.copy_buffer_to_buffer(part.buffer, part.start, &staging, 0, part.len);
        let submission = self.queue.submit([encoder.finish()]);
        let told = Arc::new(Mutex::new(Told::default()));
        let teller = Arc::clone(&told);
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            set(&teller, |told| {
                told.value = Some(result.map_err(|why| why.to_string()));
                told.waker.take().inspect(Waker::wake_by_ref);
            });
        });
        let (device, fault) = (self.device.clone(), Arc::clone(&self.fault));
        Box::pin(async move {
            let failed = |why: String| taken(&device, &fault).unwrap_or(Fault::Lost(why)).error();
            // Nothing but this thread drives the device, and what was submitted later is not waited for.
            let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
            device.poll(wait).map_err(|why| failed(why.to_string()))?;
            let mapped = poll_fn(|context| {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.value.take().map_or_else(
                    || {
                        told.waker = Some(context.waker().clone());
                        Poll::Pending
                    },
                    Poll::Ready,
                )
            });
            mapped.await.map_err(failed)?;
            let range = staging.get_mapped_range(..).map_err(|why| failed(why.to_string()))?;
            Ok(range.to_vec())
        })
    }

    fn read_now(&self, part: Part<'_, wgpu::Buffer>) -> Option<Result<Vec<u8>>> {
        // It waits when it is polled for the first time, and is ready then.
        let mut reading = self.submit_and_read(&[], part);
        match reading.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    async fn ready(&self) -> Result<()> {
        let lost = |why: wgpu::PollError| Fault::Lost(why.to_string());
        let waited = self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(lost);
        self.fault().or(waited.err()).map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn fault(&self) -> Option<Fault> {
        taken(&self.device, &self.fault)
    }
}
