/**
 * Loupe answers questions about a picture inside the browser tab.
 *
 * ```ts
 * const loupe = await Loupe.load();
 * await loupe.see(file);
 * for await (const text of loupe.ask("How many circles are there?")) output.append(text);
 * ```
 */

import { ARTEFACTS, type Artefact, type EngineInfo } from "./caps.js";
import { Client, type LoupeEvents, type Seen } from "./client.js";
import { Emitter } from "./emitter.js";
import { aborted, LoupeError } from "./error.js";
import { builtIn } from "./model.js";
import type { Answer, AskOptions, Layout, ModelInfo } from "./protocol.gen.js";
import type { Source } from "./wire.js";

export { builtIn } from "./model.js";
export { LoupeError } from "./error.js";
export { watchRequests } from "./network.js";
export type { Artefact, EngineInfo } from "./caps.js";
export type { LoupeEvents, Seen } from "./client.js";
export type { Answer, AskOptions, ErrorKind, Finish, Layout, ModelInfo, Phase, SeeTimings, Usage } from "./protocol.gen.js";

/** More threads than any machine we know could use. */
const MOST_THREADS = 64;

/** A model is two GGUF files: the language model and its eyes. */
export interface ModelFiles {
  readonly text: string | URL | Blob;
  readonly vision: string | URL | Blob;
}

export interface LoadOptions {
  /** The model; the built-in one unless told otherwise. */
  readonly model?: ModelFiles;
  /** Which of the engine's artefacts to run; the best that this browser and this page allow unless told otherwise. */
  readonly engine?: Artefact | undefined;
  /** How many threads to run it on; as many as the machine has cores, and at most 8, unless told otherwise. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal;
  /** Hears bytes as they arrive; `total` is 0 while unknown. */
  readonly onProgress?: (progress: LoupeEvents["fetched"]) => void;
}

export interface SeeOptions {
  readonly signal?: AbortSignal;
  /** Keep the pictures seen before, and the conversation about them. */
  readonly add?: boolean;
  /** Hears how the picture was cut, before its slices are encoded. */
  readonly onSliced?: (layout: Layout) => void;
}

/** An answer on its way: read it piece by piece with `for await`, or `await` the whole. */
export interface Answering extends AsyncIterable<string>, PromiseLike<Answer> {
  /** Stops; the answer then ends with what was said so far. */
  stop(): void;
}

/** A loaded model in a worker of its own. */
export class Loupe {
  /** What was loaded. */
  readonly model: ModelInfo;
  readonly #client: Client;
  readonly #events: Emitter<LoupeEvents>;

  private constructor(model: ModelInfo, client: Client, events: Emitter<LoupeEvents>) {
    this.model = model;
    this.#client = client;
    this.#events = events;
  }

  /** Fetches and opens a model. */
  static async load({ model = builtIn, engine, threads, signal, onProgress }: LoadOptions = {}): Promise<Loupe> {
    signal?.throwIfAborted();
    if (engine !== undefined && !ARTEFACTS.includes(engine)) {
      throw new LoupeError("usage", `"${engine}" is no engine; there are ${ARTEFACTS.join(", ")}.`);
    }
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
      throw new LoupeError("usage", `"${threads}" is no number of threads; give one from 1 to ${MOST_THREADS}.`);
    }
    const events = new Emitter<LoupeEvents>();
    const deaf = onProgress && events.on("fetched", onProgress);
    const client = new Client([source(model.text), source(model.vision)], { artefact: engine, threads }, events);
    const stop = (): void => client.close();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return new Loupe(await client.open(), client, events);
    } finally {
      signal?.removeEventListener("abort", stop);
      deaf?.();
    }
  }

  /** Which engine runs, on how many threads, and why. */
  get engine(): EngineInfo {
    return this.#client.engine;
  }

  /** Hears of `type` from now on; call what it returns to stop. */
  on<K extends keyof LoupeEvents>(type: K, listener: (detail: LoupeEvents[K]) => void): () => void {
    return this.#events.on(type, listener);
  }

  /**
   * Looks at a picture file, once for all questions, and begins a new conversation.
   * Whatever is under way is stopped first. Rejects with `AbortError` when it is stopped itself.
   */
  see(picture: Blob, options: SeeOptions = {}): Promise<Seen> {
    const { add = false, onSliced = () => undefined, signal } = options;
    return this.#client.see(picture, add, onSliced, signal);
  }

  /** Asks about the pictures seen, as the next turn of the conversation. */
  ask(question: string, options: Partial<AskOptions> & { signal?: AbortSignal } = {}): Answering {
    const { signal, ...sampling } = options;
    const stopper = new AbortController();
    const either = signal ? AbortSignal.any([signal, stopper.signal]) : stopper.signal;
    const pieces = new TransformStream<string, string>(undefined, undefined, { highWaterMark: Infinity });
    const writer = pieces.writable.getWriter();
    const whole = this.#client.ask(question, sampling, (text) => void writer.write(text).catch(() => undefined), either);
    whole.then(
      () => writer.close(),
      (reason) => writer.abort(reason),
    ).catch(() => undefined);
    return {
      stop: () => stopper.abort(aborted("The answer was stopped.")),
      then: (fulfilled, rejected) => whole.then(fulfilled, rejected),
      async *[Symbol.asyncIterator]() {
        const reader = pieces.readable.getReader();
        try {
          for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
        } finally {
          // Leaving the loop early is a way of stopping.
          stopper.abort(aborted("The answer was stopped."));
        }
      },
    };
  }

  /** Begins a new conversation about the same picture, which is not encoded again. */
  forget(): Promise<void> {
    return this.#client.forget();
  }

  /** Ends the worker and gives its memory back. */
  close(): void {
    this.#client.close();
  }
}

function source(file: string | URL | Blob): Source {
  if (file instanceof Blob) return file;
  try {
    return new URL(file, document.baseURI).href;
  } catch (cause) {
    throw new LoupeError("usage", `"${file}" is no address of a model file.`, { cause });
  }
}
