/**
 * Loupe answers questions about a picture inside the browser tab.
 *
 * ```ts
 * const loupe = await Loupe.load();
 * await loupe.see(file);
 * for await (const text of loupe.ask("How many circles are there?")) output.append(text);
 * ```
 *
 * Importing it touches neither `window` nor `document`, so that servers can render pages that use it.
 */

import { ARTEFACTS, DEVICES, GPU_MASKS, type Artefact, type Device, type EngineInfo, type GpuMask } from "./caps.js";
import { Client, type LoupeEvents, type Seen } from "./client.js";
import { Emitter } from "./emitter.js";
import { answering, type Answering } from "./answering.js";
import { aborted, LoupeError } from "./error.js";
import { slicesOf, type Detail } from "./detail.js";
import { builtIn } from "./model.js";
import { fileOf, type PictureSource } from "./picture.js";
import { availability, probe, type Availability, type Report } from "./probe.js";
import type { AskOptions, Exchange, Layout, ModelInfo } from "./protocol.gen.js";
import type { Kept } from "./load/feed.js";
import type { Fit } from "./load/fit.js";
import type { Progress } from "./load/meter.js";
import type { Seal } from "./sealed/seal.js";
import { HUB, want, type ModelSource } from "./load/wanted.js";

export { builtIn } from "./model.js";
export { LoupeError } from "./error.js";
export { models, type Room, type StoredModel } from "./load/models.js";
export { watchRequests } from "./network.js";
export { pictures } from "./pictures.js";
export type { Answering } from "./answering.js";
export type { PictureSource } from "./picture.js";
export type { Availability, Report } from "./probe.js";
export type { Artefact, Device, DeviceInfo, EngineChoice, EngineInfo, GpuMask } from "./caps.js";
export type { LoupeEvents, Seen } from "./client.js";
export type { Detail } from "./detail.js";
export type { Fit } from "./load/fit.js";
export type { Seal } from "./sealed/seal.js";
export type { Progress } from "./load/meter.js";
export type { Where } from "./load/store.js";
export type { ModelFiles, ModelSource } from "./load/wanted.js";
export type { Answer, AskOptions, Chunks, ErrorKind, Exchange, Finish, Format, Layout, Manifest, ModelInfo, Needs, Phase, Remote, SeeTimings, Usage } from "./protocol.gen.js";

/** More threads than any machine we know could use. */
const MOST_THREADS = 64;

/** Which model, on what, and who hears how it comes. */
export interface LoadOptions {
  /** The model; the built-in one unless another is named. */
  readonly model?: ModelSource | undefined;
  /** Which of the engine's artefacts to run; the best that this browser and this page allow unless told otherwise. */
  readonly engine?: Artefact | undefined;
  /** How many threads to run it on; as many as the machine has cores, and at most 8, unless told otherwise. */
  readonly threads?: number | undefined;
  /**
   * What runs the network. `"auto"`, unless told otherwise: the GPU where there is one that is no imitation in software and
   * passes a test, and the processor elsewhere. `"gpu"` takes an imitation too. `loupe.engine.device` tells which it is and why.
   */
  readonly device?: Device | undefined;
  /** What the GPU's kernels are to do without, to see what a lesser GPU would do; nothing unless told otherwise. */
  readonly gpu?: readonly GpuMask[] | undefined;
  /** Whether to keep the model in this browser for the next time; true unless told otherwise, and for the built-in model. */
  readonly keep?: boolean | undefined;
  /** Open what is kept and ask no network. */
  readonly offline?: boolean | undefined;
  /** The hub that names are looked up on; Hugging Face's unless told otherwise. */
  readonly hub?: string | undefined;
  /**
   * Have everything run in a worker that cannot reach the network: what it needs is fetched by another, which ends before the first
   * picture is seen. `loupe.seal` tells how it is sealed. Loading takes longer, for the model is opened twice.
   */
  readonly seal?: boolean | undefined;
  /** Milliseconds that a server may say nothing; 30,000 unless told otherwise. */
  readonly patience?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears bytes as they arrive. */
  readonly onProgress?: (progress: Progress) => void;
  /** Hears, before the weights are fetched, what the model needs and whether that is there. */
  readonly onFit?: (fit: Fit) => void;
}

/** How to look at a picture. */
export interface SeeOptions {
  readonly signal?: AbortSignal;
  /** Keep the pictures seen before, and the conversation about them. */
  readonly add?: boolean;
  /** How closely to look: how much of the picture is seen, and how many tokens it takes. `"high"` unless told otherwise. */
  readonly detail?: Detail | undefined;
  /** Hears how the picture was cut, before its slices are encoded. */
  readonly onSliced?: (layout: Layout) => void;
  /**
   * Keep what the model saw in the origin's private files, and take it from there where it is: after a reload the picture is not
   * looked at again. Not the picture is kept, but what answers are made of; `pictures.forget()` deletes it. False unless told otherwise.
   */
  readonly remember?: boolean;
}

/** How to answer; what is left out has its default. */
export type Asking = Partial<AskOptions> & {
  /** Stops the answer. */
  readonly signal?: AbortSignal | undefined;
  /** The conversation so far, in the place of the one that was had here: to go on with one that was kept, say. */
  readonly history?: readonly Exchange[] | undefined;
};

/** A loaded model in a worker of its own. */
export class Loupe {
  /** What was loaded. */
  readonly model: ModelInfo;
  readonly #client: Client;
  readonly #events: Emitter<LoupeEvents>;
  readonly #requests: string[] = [];
  /** Ends the fetching or reading of a picture that another takes the place of. */
  #bringing = new AbortController();

  private constructor(model: ModelInfo, client: Client, events: Emitter<LoupeEvents>) {
    this.model = model;
    this.#client = client;
    this.#events = events;
    events.on("request", (url) => void this.#requests.push(url));
  }

  /** Fetches and opens a model. */
  static async load(options: LoadOptions = {}): Promise<Loupe> {
    const { model = builtIn, engine, threads, device, gpu = [], offline = false, hub = HUB, patience, seal = false, signal, onProgress, onFit } = options;
    signal?.throwIfAborted();
    if (engine !== undefined && !ARTEFACTS.includes(engine)) {
      throw new LoupeError("usage", `"${engine}" is no engine; there are ${ARTEFACTS.join(", ")}.`);
    }
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
      throw new LoupeError("usage", `"${threads}" is no number of threads; give one from 1 to ${MOST_THREADS}.`);
    }
    if (device !== undefined && !DEVICES.includes(device)) {
      throw new LoupeError("usage", `"${device}" is no device; there are ${DEVICES.join(", ")}.`);
    }
    const unknown = gpu.find((mask) => !GPU_MASKS.includes(mask));
    if (unknown !== undefined) {
      throw new LoupeError("usage", `"${unknown}" masks nothing of a GPU; there are ${GPU_MASKS.join(", ")}.`);
    }
    const events = new Emitter<LoupeEvents>();
    const deaf = [onProgress && events.on("fetched", onProgress), onFit && events.on("fit", onFit)];
    // The built-in model comes with the page, and the browser's own cache keeps it as it keeps the page.
    const { keep = model !== builtIn } = options;
    const client = new Client({ wanted: want(model, hub), keep, offline, patience }, { artefact: engine, threads, device, gpu }, seal, events);
    const stop = (): void => client.close();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return new Loupe(await client.open(), client, events);
    } finally {
      signal?.removeEventListener("abort", stop);
      for (const stop of deaf) stop?.();
    }
  }

  /** What this machine and this page allow, and what `load` would run. Fetches nothing and never throws, on a server either. */
  static probe(options: Pick<LoadOptions, "engine" | "threads"> = {}): Report {
    return probe(options);
  }

  /**
   * Whether a model could be loaded, in the Prompt API's words: "unavailable" here, "available" at once, "downloadable", or
   * "downloading" by some page of this site now. Asks no network. Rejects with `usage` when `model` names none.
   */
  static availability(options: Pick<LoadOptions, "model" | "hub" | "engine" | "threads"> = {}): Promise<Availability> {
    return availability(options);
  }

  /** Which engine runs, on how many threads, and why. */
  get engine(): EngineInfo {
    return this.#client.engine;
  }

  /** How the engine is kept from the network; undefined where that was not asked for. */
  get seal(): Seal | undefined {
    return this.#client.seal;
  }

  /** Where the model's bytes are kept, and why not beyond the page where they are not. */
  get kept(): Pick<Kept, "where" | "why"> {
    const { where, why } = this.#client.kept;
    return { where, why };
  }

  /** What Loupe's worker asked the network for since the model was open: nothing, or something is wrong. */
  get network(): { readonly requests: number; readonly log: readonly string[] } {
    return { requests: this.#requests.length, log: [...this.#requests] };
  }

  /** The pictures that the conversation is about, as files. */
  get pictures(): readonly Blob[] {
    return this.#client.pictures;
  }

  /** Hears of `type` from now on; call what it returns to stop. */
  on<K extends keyof LoupeEvents>(type: K, listener: (detail: LoupeEvents[K]) => void): () => void {
    return this.#events.on(type, listener);
  }

  /**
   * Looks at a picture, once for all questions, and begins a new conversation. A canvas or a video is looked at as it is now.
   * Whatever is under way is stopped first. Rejects with `AbortError` when it is stopped itself.
   */
  async see(picture: PictureSource, options: SeeOptions = {}): Promise<Seen> {
    const { add = false, onSliced = () => undefined, remember = false, signal } = options;
    const manner = { remember, maxSlices: slicesOf(options.detail) };
    return this.#client.see(await this.#bring(picture, signal), add, onSliced, signal, manner);
  }

  /** Asks about the pictures seen, as the next turn of the conversation. */
  ask(question: string, options?: Asking): Answering;
  /** Asks about `picture` in a new conversation. The same Blob as before is not encoded again. */
  ask(picture: PictureSource, question: string, options?: Asking): Answering;
  ask(first: PictureSource, second: string | Asking = {}, third: Asking = {}): Answering {
    if (typeof second !== "string") {
      const { signal, history, ...sampling } = second;
      return answering((say, signal) => this.#client.ask(first as string, sampling, history, say, signal), signal);
    }
    const { signal, history, ...sampling } = third;
    return answering(async (say, signal) => {
      const file = await this.#bring(first, signal);
      const [only, ...others] = this.#client.pictures;
      if (only === file && others.length === 0) await this.#client.forget();
      else await this.#client.see(file, false, () => undefined, signal);
      return this.#client.ask(second, sampling, history, say, signal);
    }, signal);
  }

  /** Begins a new conversation about the same picture, which is not encoded again. */
  forget(): Promise<void> {
    return this.#client.forget();
  }

  /** Ends the worker and gives its memory back. */
  close(): void {
    this.#client.close();
  }

  /** `using loupe = await Loupe.load()` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The picture as a file, unless another comes before it has. */
  #bring(picture: PictureSource, signal: AbortSignal | undefined): Promise<Blob> {
    this.#bringing.abort(aborted("Another picture took its place."));
    this.#bringing = new AbortController();
    const { signal: mine } = this.#bringing;
    return fileOf(picture, signal ? AbortSignal.any([signal, mine]) : mine);
  }
}
