// Starting the engine: its instance, its helper threads, and the GPU where one is to be used.

import type { DeviceInfo, EngineChoice, EngineInfo, EngineOptions } from "./caps.js";
import type { Engine } from "./engine/base/loupe.js";
import type { Forms } from "./engine/forms/loupe_forms.js";
import { NoGpu, openGpu, type Gpu } from "./gpu.js";
import type { FromThread, ToThread } from "./wire.js";

export type { Engine } from "./engine/base/loupe.js";

/** What of an artefact's JavaScript makes an engine. */
export interface Glue {
  readonly Engine: new (threads: number) => Engine;
  /** The compiled module, for threads to make their instances of. */
  module(): WebAssembly.Module;
}

/** How long a helper may take to arrive, in milliseconds. */
const PATIENCE = 10_000;

/** An engine in this worker, and what it is. */
export interface Started {
  readonly engine: Engine;
  readonly info: EngineInfo;
}

/** An engine before anybody asked what its network runs on. */
export interface Instance {
  readonly engine: Engine;
  readonly info: EngineChoice;
}

/** Whoever can be asked for help: a worker, or a port to one. */
export type Helper = Pick<Worker, "addEventListener" | "postMessage"> & Partial<Pick<Worker, "terminate">>;

/** Starts what `instantiate` makes, and a GPU if `options` want one. */
export async function start(options: EngineOptions, instantiate: () => Promise<Instance>): Promise<Started> {
  // Asked for at once: by the time the engine is there, the browser has answered.
  const gpu = offered(options);
  const { engine, info } = await instantiate();
  return { engine, info: { ...info, device: await settle(engine, options, gpu) } };
}

/** Has the engine hold answers to forms, from now on. */
export function holdTo(engine: Engine, Grammars: typeof Forms): void {
  engine.holdTo(new Grammars(engine.tokenBytes(), engine.tokenLengths(), engine.ends()));
}

/** Gives the engine a GPU to open its next model on, if there is one and `options` want it; what will run the network. */
export async function chooseDevice(engine: Engine, options: EngineOptions): Promise<DeviceInfo> {
  return settle(engine, options, offered(options));
}

/** An open GPU, or why there is none. */
async function offered({ device = "auto" }: EngineOptions): Promise<Gpu | string> {
  if (device === "cpu") return "the processor was asked for";
  return openGpu(device === "gpu").catch((cause: unknown) => (cause instanceof NoGpu ? cause.message : `the GPU could not be opened: ${reason(cause)}`));
}

async function settle(engine: Engine, { device, gpu: masks = [] }: EngineOptions, offer: Promise<Gpu | string>): Promise<DeviceInfo> {
  const why = device === "gpu" ? ["the GPU was asked for"] : [];
  const cpu = { kind: "cpu", adapter: "", kernels: "" } as const;
  const gpu = await offer;
  if (typeof gpu === "string") return { ...cpu, why: [...why, gpu] };
  try {
    const [kernels = "", ...reasons] = await engine.useGpu(gpu, [...masks]);
    return { kind: "gpu", adapter: gpu.adapter, kernels, why: [...why, ...reasons] };
  } catch (cause) {
    console.warn(cause);
    return { ...cpu, why: [...why, `the GPU ${gpu.adapter} failed its test`] };
  }
}

/** The engine of a module that has its instance over `memory`, once those who help it have arrived. */
export async function staff(glue: Glue, memory: WebAssembly.Memory, info: EngineChoice, hire: () => Helper): Promise<Instance> {
  const helpers = Array.from({ length: info.threads - 1 }, () => introduce(hire(), { module: glue.module(), memory }));
  const missing = (await Promise.allSettled(helpers)).filter((helper) => helper.status === "rejected");
  const threads = info.threads - missing.length;
  const why = missing.map((helper) => `a thread did not start: ${reason(helper.reason)}`);
  return { engine: new glue.Engine(threads), info: { ...info, threads, why: [...info.why, ...why] } };
}

/** Gives a helper the engine's memory; resolves when it has arrived there. */
async function introduce(helper: Helper, message: ToThread): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  helper.addEventListener("message", ({ data }: MessageEvent<FromThread>) => {
    if (data.type === "arrived") resolve();
    else reject(new Error(data.message));
  });
  helper.addEventListener("error", (event) => {
    event.preventDefault();
    reject(new Error(event.message || "its script could not be loaded"));
  });
  const timer = setTimeout(() => reject(new Error("it took too long")), PATIENCE);
  helper.postMessage(message);
  try {
    await promise;
  } catch (cause) {
    helper.terminate?.();
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

/** What went wrong, as a clause. */
export function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
