// What can be known before anything is loaded.

import { choose, inspect, type EngineChoice, type EngineOptions } from "./caps.js";
import { models } from "./load/models.js";
import { HUB, idOf, lockOf, nameOf, want, type ModelSource } from "./load/wanted.js";
import { builtIn } from "./model.js";

/** What a machine and a page allow. */
export interface Report {
  /** Whether Loupe runs here at all. */
  readonly usable: boolean;
  /** What it lacks where it does not, a few words each. */
  readonly lacks: readonly string[];
  /** What would run, on how many threads, and why; undefined where nothing does. */
  readonly engine: EngineChoice | undefined;
  /** Whether the page may share memory among threads. */
  readonly isolated: boolean;
  /** Cores that the browser admits to. */
  readonly cores: number;
}

/** The Prompt API's words for a model. */
export type Availability = "unavailable" | "downloadable" | "downloading" | "available";

/** A function that splats a number over a vector: what every artefact of the engine is full of. */
const SIMD = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // the header
  1, 5, 1, 0x60, 0, 1, 0x7b, // type 0: nothing to v128
  3, 2, 1, 0, // function 0 is of type 0
  10, 8, 1, 6, 0, 0x41, 0, 0xfd, 15, 0x0b, // and its body: i32.const 0, i8x16.splat, end
]);

/** Everything that must be there, and what to call it where it is not. */
const NEEDED: readonly [there: () => boolean, called: string][] = [
  [() => typeof WebAssembly === "object", "WebAssembly"],
  [() => WebAssembly.validate(SIMD), "vectors in WebAssembly"],
  [() => typeof Worker === "function", "workers"],
  [() => typeof Promise.withResolvers === "function" && typeof AbortSignal.any === "function", "a browser of 2024 or later"],
];

/** Looks around; fetches nothing and never throws. */
export function probe(options: { engine?: EngineOptions["artefact"]; threads?: number | undefined }): Report {
  const lacks = NEEDED.flatMap(([there, called]) => (holds(there) ? [] : [called]));
  if (lacks.length > 0) return { usable: false, lacks, engine: undefined, isolated: false, cores: 1 };
  const machine = inspect();
  const engine = choose({ artefact: options.engine, threads: options.threads }, machine);
  return { usable: true, lacks, engine, isolated: machine.isolated, cores: machine.cores };
}

/** Whether a model is there, could be fetched, or is being fetched; asks no network. */
export async function availability(options: { model?: ModelSource | undefined; hub?: string | undefined }): Promise<Availability> {
  const { model = builtIn, hub = HUB } = options;
  if (!probe({}).usable) return "unavailable";
  // What came with the page or was handed over is here already.
  const name = model === builtIn ? undefined : nameOf(want(model, hub));
  if (name === undefined) return "available";
  if ((await models.list()).some(({ source, complete }) => source === name && complete)) return "available";
  const id = await idOf(name);
  const { held = [] } = (await navigator.locks?.query().catch(() => undefined)) ?? {};
  return id !== undefined && held.some((one) => one.name === lockOf(id)) ? "downloading" : "downloadable";
}

function holds(there: () => boolean): boolean {
  try {
    return there();
  } catch {
    return false;
  }
}
