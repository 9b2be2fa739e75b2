// Starting the engine: the artefact that suits this machine, its helper threads, and the GPU where one is to be used.

import { choose, inspect, type EngineChoice, type DeviceInfo, type EngineInfo, type EngineOptions } from "./caps.js";
import type { Engine } from "./engine/base/loupe.js";
import { NoGpu, openGpu, type Gpu } from "./gpu.js";
import type { Names } from "./load/resolve.js";
import type { FromThread, ToThread } from "./wire.js";

export type { Engine } from "./engine/base/loupe.js";

/** What every artefact's JavaScript offers. */
interface Glue extends Names {
  default(): Promise<{ readonly memory: WebAssembly.Memory }>;
  readonly Engine: new (threads: number) => Engine;
  /** The compiled module, for threads to make their instances of. */
  module(): WebAssembly.Module;
}

const GLUE = {
  base: (): Promise<Glue> => import("./engine/base/loupe.js"),
  relaxed: (): Promise<Glue> => import("./engine/relaxed/loupe.js"),
  "relaxed-mt": (): Promise<Glue> => import("./engine/relaxed-mt/loupe.js"),
};

/** Grammars for answers that are held to a form: fetched once, for the model that `engine` has open. */
export async function giveForms(engine: Engine): Promise<void> {
  const { default: init, Forms } = await import("./engine/forms/loupe_forms.js");
  await init();
  engine.holdTo(new Forms(engine.tokenBytes(), engine.tokenLengths(), engine.ends()));
}

/** What comes after an artefact that did not start. */
const SIMPLER = { "relaxed-mt": "relaxed", relaxed: "base", base: undefined } as const;

/** How long a helper may take to arrive, in milliseconds. */
const PATIENCE = 10_000;

/** An engine in this worker, what it is, and what it knows of models' names. */
export interface Started {
  readonly engine: Engine;
  readonly info: EngineInfo;
  readonly names: Names;
}

/** Starts the best that this machine and `options` allow. */
export async function start(options: EngineOptions): Promise<Started> {
  // Asked for at once: by the time the engine is there, the browser has answered.
  const gpu = offered(options);
  const { info, ...started } = await startEngine(options);
  return { ...started, info: { ...info, device: await settle(started.engine, options, gpu) } };
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

type EngineStarted = Omit<Started, "info"> & { readonly info: EngineChoice };

async function startEngine(options: EngineOptions): Promise<EngineStarted> {
  for (let info = choose(options, inspect()); ; ) {
    try {
      return await instantiate(info);
    } catch (cause) {
      // There may be no room for a memory that can be shared, or the file may be missing on the server.
      const artefact = SIMPLER[info.artefact];
      if (!artefact) throw cause;
      info = { artefact, threads: 1, why: [...info.why, `${info.artefact} did not start: ${reason(cause)}`] };
    }
  }
}

async function instantiate(info: EngineChoice): Promise<EngineStarted> {
  const glue = await GLUE[info.artefact]();
  const { memory } = await glue.default();
  const helpers = Array.from({ length: info.threads - 1 }, () => hire({ module: glue.module(), memory }));
  const missing = (await Promise.allSettled(helpers)).filter((helper) => helper.status === "rejected");
  const threads = info.threads - missing.length;
  const why = missing.map((helper) => `a thread did not start: ${reason(helper.reason)}`);
  return { engine: new glue.Engine(threads), names: glue, info: { ...info, threads, why: [...info.why, ...why] } };
}

/** Starts a worker that shares the engine's memory; resolves when it has arrived. It ends with this one. */
async function hire(message: ToThread): Promise<void> {
  const worker = new Worker(new URL("./thread.js", import.meta.url), { type: "module", name: "loupe-thread" });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.addEventListener("message", ({ data }: MessageEvent<FromThread>) => {
    if (data.type === "arrived") resolve();
    else reject(new Error(data.message));
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    reject(new Error(event.message || "its script could not be loaded"));
  });
  const timer = setTimeout(() => reject(new Error("it took too long")), PATIENCE);
  worker.postMessage(message);
  try {
    await promise;
  } catch (cause) {
    worker.terminate();
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
