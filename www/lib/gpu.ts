// The browser's GPU: whether there is one to use, and what the engine calls on it (`src/exec/gpu/browser.rs`). Things have
// numbers there, and all steps of a call come in one list, so that little crosses the border.

/** Features that some of our kernels use; others are not asked for, whatever the adapter has. */
const FEATURES: readonly GPUFeatureName[] = ["shader-f16", "subgroups"];
/** What a compiler may know besides. */
const DOT4 = "packed_4x8_integer_dot_product";
/** Limits that are raised to what the adapter has: how much one buffer holds, and one binding reaches. */
const LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;
/** WebGPU's numbers for what a buffer is for. */
const [MAP_READ, COPY_SRC, COPY_DST, UNIFORM, STORAGE] = [0x01, 0x04, 0x08, 0x40, 0x80] as const;
/** And for who sees it, and how it is mapped. */
const [COMPUTE, READ] = [0x04, 0x01] as const;
/** How long the browser may take to offer an adapter, in milliseconds. */
const PATIENCE = 5000;
/** Buffers for reading that are kept for the next time. */
const MOST_SPARE = 8;

/** Why there is no GPU to use, in a few words. */
export class NoGpu extends Error {}

/** Opens the best GPU there is; one in software only when `software` allows it. Throws `NoGpu` when there is none. */
export async function openGpu(software: boolean): Promise<Gpu> {
  const gpu = navigator.gpu as GPU | undefined;
  if (!gpu) throw new NoGpu("this browser has no WebGPU");
  const adapter = await Promise.race([gpu.requestAdapter({ powerPreference: "high-performance" }), late()]);
  if (!adapter) throw new NoGpu("this browser offers no GPU");
  // Chromium's own has said so only of late; before, its name told.
  if (!software && (adapter.info.isFallbackAdapter || adapter.info.architecture === "swiftshader")) {
    throw new NoGpu("its only GPU is one in software");
  }
  const device = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
  return new Gpu(device, adapter.info, gpu.wgslLanguageFeatures.has(DOT4));
}

async function late(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  throw new NoGpu("the GPU took too long to answer");
}

interface Pipeline {
  readonly layout: GPUBindGroupLayout;
  readonly descriptor: GPUComputePipelineDescriptor;
  compiled?: GPUComputePipeline;
}

type Thing = GPUBuffer | GPUBindGroup | Pipeline;

/** A device. Nothing here waits but `submitAndRead` and `ready`, and what goes wrong is told by `fault`. */
export class Gpu {
  readonly adapter: string;
  /** Bytes that one binding may reach. */
  readonly binding: number;
  /** Bytes of the largest buffer. */
  readonly largest: number;
  /** Whether there is arithmetic on numbers of 16 bits. */
  readonly f16: boolean;
  /** The fewest and the most threads of a subgroup; empty where there are none. */
  readonly subgroups: Uint32Array;
  /** Whether there are products of packed bytes. */
  readonly dot4: boolean;
  readonly #device: GPUDevice;
  readonly #things: (Thing | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #compiling = new Set<Promise<void>>();
  readonly #spare: GPUBuffer[] = [];
  /** What is being read into: steps that nobody waits for any more are among them. */
  readonly #reading = new Set<GPUBuffer>();
  #fault: string | undefined;
  #lost = false;

  constructor(device: GPUDevice, info: GPUAdapterInfo, dot4: boolean) {
    this.#device = device;
    this.adapter = info.description || [info.vendor, info.architecture, info.device].filter((word) => word !== "").join(" ") || "unnamed";
    this.f16 = device.features.has("shader-f16");
    this.subgroups = new Uint32Array(device.features.has("subgroups") ? [info.subgroupMinSize, info.subgroupMaxSize] : []);
    this.dot4 = dot4;
    this.binding = device.limits.maxStorageBufferBindingSize;
    this.largest = device.limits.maxBufferSize;
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#fault ??= `${error instanceof GPUOutOfMemoryError ? "memory" : "refused"} ${error.message}`;
    });
    void device.lost.then(({ reason, message }) => {
      // Whatever else failed failed because of this.
      this.#fault = `lost ${reason}: ${message}`;
      this.#lost = true;
    });
  }

  /** What has gone wrong since this was asked last: `memory`, `lost` or `refused`, and why. A lost device stays lost. */
  fault(): string | undefined {
    const fault = this.#fault;
    if (!this.#lost) this.#fault = undefined;
    return fault;
  }

  buffer(bytes: number, uniform: boolean): number {
    const usage = (uniform ? UNIFORM : STORAGE) | COPY_SRC | COPY_DST;
    return this.#put(this.#device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage }));
  }

  write(buffer: number, at: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#device.queue.writeBuffer(this.#get(buffer), at, bytes);
  }

  /** Begins to compile a kernel; `names`, with spaces between, are its constants, and `values` theirs. */
  pipeline(label: string, code: string, names: string, values: Float64Array): number {
    const entries = [...code.matchAll(/@binding\((\d+)\) var<(uniform|storage, read_write|storage)/g)].map(([, binding, kind]) => ({
      binding: Number(binding),
      visibility: COMPUTE,
      buffer: { type: kind === "uniform" ? kind : kind === "storage" ? "read-only-storage" : "storage" } as const,
    }));
    const layout = this.#device.createBindGroupLayout({ entries });
    const constants = Object.fromEntries(names.split(" ").filter((name) => name !== "").map((name, at) => [name, values[at] ?? 0]));
    const module = this.#device.createShaderModule({ label, code });
    const descriptor = {
      label,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main", constants },
    };
    const pipeline: Pipeline = { layout, descriptor };
    const compiling = this.#device.createComputePipelineAsync(descriptor).then(
      (compiled) => void (pipeline.compiled ??= compiled),
      (error: Error) => void (this.#fault ??= `refused ${error.message}`),
    );
    this.#compiling.add(compiling);
    void compiling.then(() => this.#compiling.delete(compiling));
    return this.#put(pipeline);
  }

  /** Binds buffers to a kernel: `parts` are number, buffer, first byte and bytes of each. */
  bind(pipeline: number, parts: Float64Array): number {
    const entries = Array.from({ length: parts.length / 4 }, (_, at) => {
      const [binding = 0, buffer = 0, offset = 0, size = 0] = parts.subarray(4 * at);
      return { binding, resource: { buffer: this.#get<GPUBuffer>(buffer), offset, size } };
    });
    return this.#put(this.#device.createBindGroup({ layout: this.#get<Pipeline>(pipeline).layout, entries }));
  }

  /** Hands the GPU all steps at once: 0, pipeline, binding, groups; 1, source, target, bytes; or 2, buffer to clear. */
  submit(steps: Uint32Array): void {
    this.#device.queue.submit([this.#encode(steps).finish()]);
  }

  /** The same, and resolves to bytes of a buffer as these steps leave them. Rejects when the device is lost. */
  async submitAndRead(steps: Uint32Array, buffer: number, start: number, bytes: number): Promise<Uint8Array> {
    const at = this.#spare.findIndex(({ size }) => size === bytes);
    const [spare] = at < 0 ? [] : this.#spare.splice(at, 1);
    const staging = spare ?? this.#device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
    this.#reading.add(staging);
    try {
      const encoder = this.#encode(steps);
      encoder.copyBufferToBuffer(this.#get(buffer), start, staging, 0, bytes);
      this.#device.queue.submit([encoder.finish()]);
      await staging.mapAsync(READ);
      const read = new Uint8Array(staging.getMappedRange()).slice();
      staging.unmap();
      this.#reading.delete(staging);
      this.#spare.push(staging);
      if (this.#spare.length > MOST_SPARE) this.#spare.shift()?.destroy();
      return read;
    } catch (cause) {
      if (this.#reading.delete(staging)) staging.destroy();
      throw cause;
    }
  }

  #encode(steps: Uint32Array): GPUCommandEncoder {
    const encoder = this.#device.createCommandEncoder();
    let pass: GPUComputePassEncoder | undefined;
    for (let at = 0; at < steps.length; ) {
      const [kind, a = 0, b = 0, x = 0, y, z] = steps.subarray(at, at + 6);
      if (kind === 0) {
        const pipeline = this.#get<Pipeline>(a);
        // What was not waited for is compiled here; only the GPU waits then.
        pipeline.compiled ??= this.#device.createComputePipeline(pipeline.descriptor);
        // Neighbouring dispatches share a pass.
        pass ??= encoder.beginComputePass();
        pass.setPipeline(pipeline.compiled);
        pass.setBindGroup(0, this.#get<GPUBindGroup>(b));
        pass.dispatchWorkgroups(x, y, z);
        at += 6;
        continue;
      }
      pass?.end();
      pass = undefined;
      if (kind === 1) encoder.copyBufferToBuffer(this.#get(a), 0, this.#get(b), 0, x);
      else encoder.clearBuffer(this.#get(a));
      at += kind === 1 ? 4 : 2;
    }
    pass?.end();
    return encoder;
  }

  /** Resolves when all kernels are compiled and all steps so far are done, or the device is lost. */
  async ready(): Promise<void> {
    await Promise.all(this.#compiling);
    await this.#device.queue.onSubmittedWorkDone().catch(() => undefined);
  }

  /** Gives a thing up. */
  giveUp(number: number): void {
    const thing = this.#things[number];
    if (thing instanceof GPUBuffer) thing.destroy();
    this.#things[number] = undefined;
    this.#free.push(number);
  }

  /** Gives the device up, and all memory of it. */
  close(): void {
    for (const buffer of [...this.#spare.splice(0), ...this.#reading]) buffer.destroy();
    this.#reading.clear();
    this.#device.destroy();
  }

  #put(thing: Thing): number {
    const number = this.#free.pop() ?? this.#things.length;
    this.#things[number] = thing;
    return number;
  }

  #get<T extends Thing>(number: number): T {
    return this.#things[number] as T;
  }
}
