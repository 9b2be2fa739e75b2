// The page's side of the worker: one promise for each call, and a new worker when the old one dies or stops answering.

import type { EngineInfo, EngineOptions } from "./caps.js";
import type { Emitter } from "./emitter.js";
import { aborted, LoupeError } from "./error.js";
import type { Answer, AskOptions, Event, Exchange, Layout, ModelInfo, Request, SeeTimings } from "./protocol.gen.js";
import type { Fit } from "./load/fit.js";
import type { Kept } from "./load/feed.js";
import type { Order } from "./load/load.js";
import type { Progress } from "./load/meter.js";
import { sealedWorker } from "./sealed/workers.js";
import type { Seal } from "./sealed/seal.js";
import type { FromWorker, Parts, ToWorker } from "./wire.js";

/** How long a stop may go unanswered before the worker is replaced, in milliseconds. */
const STOP_PATIENCE = 2000;

/** What the page can follow besides the calls it made. */
export interface LoupeEvents {
  /** Bytes of the model arrived. */
  fetched: Progress;
  /** The model's headers have come: what it needs, and whether that is there. */
  fit: Fit;
  /** A long step moved on. */
  progress: Extract<Event, { type: "progress" }>;
  /** The network was asked for something after the model was open, by Loupe's own worker. */
  request: string;
  /** The engine had stopped and is being started again. */
  restarting: LoupeError;
  /** It is back; `picture` tells whether it sees the picture as before. */
  restarted: { picture: boolean };
  /** The GPU failed, as the sentence says; what was under way waits, and nothing is lost. */
  moving: string;
  /** It goes on where it was, on another GPU or on the processor. */
  moved: EngineInfo;
  /** It could not be started again: this Loupe is of no more use. */
  ended: LoupeError;
}

/** What looking at a picture found and cost. */
export interface Seen {
  readonly layout: Layout;
  readonly timings: SeeTimings;
}

/** How a picture is looked at. */
export interface Manner {
  /** Whether what is seen lies on this machine's disk for the next time. */
  readonly remember: boolean;
  /** The most slices; as many as the model was made for when left out. */
  readonly maxSlices?: number | undefined;
}

interface Looking {
  readonly sliced: (layout: Layout) => void;
  readonly end: PromiseWithResolvers<Seen>;
  layout?: Layout;
}

interface Answering {
  readonly say: (text: string) => void;
  readonly end: PromiseWithResolvers<Answer>;
}

export class Client {
  /** What runs, from the moment a model is open. */
  engine: EngineInfo = { artefact: "base", threads: 1, why: [], device: { kind: "cpu", adapter: "", kernels: "", why: [] } };
  /** How the engine is kept from the network, where that was asked for. */
  seal: Seal | undefined;
  readonly #sealing: boolean;
  /** What sealed engines are made of. */
  #parts: Parts | undefined;
  #worker: Worker | undefined;
  readonly #wanted: EngineOptions;
  /** Where the model's bytes are, once it is open. */
  kept: Kept = { files: [], where: "memory", why: "" };
  #order: Order;
  #opening: PromiseWithResolvers<ModelInfo> | undefined;
  #looking = new Map<number, Looking>();
  #answering = new Map<number, Answering>();
  #pictures: { readonly file: Blob; readonly manner: Manner }[] = [];
  #next = 1;
  #patience: ReturnType<typeof setTimeout> | undefined;
  /** Whether the model is being opened elsewhere: stops are answered after that, however long it takes. */
  #moving = false;
  /** Settled while the engine can take requests. */
  #ready: Promise<unknown> = Promise.resolve();
  readonly #events: Emitter<LoupeEvents>;

  /** With `sealing`, a worker that fetches is followed by one that cannot. */
  constructor(order: Order, wanted: EngineOptions, sealing: boolean, events: Emitter<LoupeEvents>) {
    this.#order = order;
    this.#wanted = wanted;
    this.#sealing = sealing;
    this.#events = events;
  }

  /** Starts a worker and opens the model in it. */
  open(): Promise<ModelInfo> {
    this.#opening = Promise.withResolvers();
    this.#start();
    return this.#opening.promise;
  }

  #start(): void {
    const [order, parts] = [this.#order, this.#parts];
    const worker = parts
      ? sealedWorker({ type: "open", order, engine: this.#wanted, parts })
      : new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "loupe" });
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (worker === this.#worker) this.#receive(data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.#fail(event.message);
    });
    this.#worker = worker;
    // A GPU is for the engine that stays.
    if (!parts) this.#post({ type: "open", order, engine: this.#sealing ? { ...this.#wanted, device: "cpu" } : this.#wanted });
  }

  /**
   * Looks at `file`; in place of what was seen before, unless `add` is set. `sliced` hears how it was cut.
   */
  async see(file: Blob, add: boolean, sliced: Looking["sliced"], signal?: AbortSignal, manner: Manner = { remember: false }): Promise<Seen> {
    await this.#idle();
    signal?.throwIfAborted();
    if (!add) {
      this.#pictures = [];
      this.#request({ type: "forget", pictures: true });
    }
    const seen = await this.#look(file, manner, sliced, signal);
    this.#pictures.push({ file, manner });
    return seen;
  }

  /** The pictures that the conversation is about, as they were given. */
  get pictures(): readonly Blob[] {
    return this.#pictures.map(({ file }) => file);
  }

  /** Asks, after `history` where there is one; `say` hears the answer as it comes. Stopping resolves to what was said so far. */
  async ask(
    question: string,
    options: Partial<AskOptions>,
    history: readonly Exchange[] | undefined,
    say: (text: string) => void,
    signal?: AbortSignal,
  ): Promise<Answer> {
    await this.#ready;
    const id = this.#next++;
    const end = Promise.withResolvers<Answer>();
    this.#answering.set(id, { say, end });
    this.#request({ type: "ask", id, question, options, ...(history && { history: [...history] }) });
    return this.#stoppable(end.promise, id, signal);
  }

  /** Begins a new conversation about the same pictures. */
  async forget(): Promise<void> {
    await this.#idle();
    this.#request({ type: "forget", pictures: false });
  }

  /** Ends the worker; whatever is under way ends in `AbortError`. */
  close(): void {
    const worker = this.#worker;
    if (worker && this.engine.device.kind === "gpu") {
      // Browsers take their time to clear up after a worker that is ended from outside.
      this.#worker = undefined;
      worker.postMessage({ type: "close" } satisfies ToWorker);
      setTimeout(() => worker.terminate(), STOP_PATIENCE);
    }
    this.#end(aborted("Loupe was closed."));
    const closed = Promise.reject(new LoupeError("usage", "This Loupe was closed; load a new one."));
    closed.catch(() => undefined);
    this.#ready = closed;
  }

  /** Resolves once nothing is under way, which it sees to by stopping it. */
  async #idle(): Promise<void> {
    await this.#ready;
    const underWay = [...this.#answering.values(), ...this.#looking.values()].map(({ end }) => end.promise);
    if (underWay.length === 0) return;
    for (const id of this.#answering.keys()) this.#stop(id);
    if (this.#looking.size > 0) this.#stop(0);
    await Promise.allSettled(underWay);
    await this.#ready;
  }

  #look(file: Blob, manner: Manner, sliced: Looking["sliced"], signal?: AbortSignal): Promise<Seen> {
    const picture = this.#next++;
    const end = Promise.withResolvers<Seen>();
    this.#looking.set(picture, { sliced, end });
    this.#post({ type: "see", picture, file, ...manner });
    return this.#stoppable(end.promise, 0, signal);
  }

  async #stoppable<T>(work: Promise<T>, id: number, signal?: AbortSignal): Promise<T> {
    const stop = (): void => this.#stop(id);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await work;
    } finally {
      signal?.removeEventListener("abort", stop);
      if (this.#answering.size + this.#looking.size === 0) this.#calm();
    }
  }

  #stop(id: number): void {
    this.#request({ type: "stop", id });
    if (!this.#moving) this.#patience ??= setTimeout(() => this.#fail("no answer to a stop"), STOP_PATIENCE);
  }

  #calm(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #request(request: Request): void {
    this.#post({ type: "request", request });
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "fetched":
        return this.#parts ? undefined : this.#events.emit("fetched", message.progress);
      case "fit":
        if (this.#parts) return this.#post({ type: "proceed" });
        // Asked for here because workers cannot: not to have what is kept cleared when the disk runs full.
        if (message.where === "files" || message.where === "cache") void navigator.storage?.persist?.().catch(() => false);
        this.#events.emit("fit", message.fit);
        return this.#post({ type: "proceed" });
      case "engine":
        this.engine = message.engine;
        return;
      case "kept":
        if (this.kept.files.length === 0) this.kept = message.kept;
        // What is held nowhere is fetched again by an engine that must be started again.
        if (message.kept.files.length > 0) this.#order = { ...this.#order, wanted: { kind: "blobs", blobs: message.kept.files } };
        return;
      case "request":
        return this.#events.emit("request", message.url);
      case "progress":
        return this.#events.emit("progress", message);
      case "stalled":
        this.#moving = true;
        this.#calm();
        return this.#events.emit("moving", message.message);
      case "parts":
        this.#parts = message.parts;
        this.#worker?.terminate();
        return this.#start();
      case "sealed":
        this.seal = message.seal;
        return;
      case "ready":
        if (this.#sealing && !this.#parts) return this.#startSealing();
        this.#opening?.resolve(message.model);
        this.#opening = undefined;
        if (this.#moving) this.#events.emit("moved", this.engine);
        this.#moving = false;
        return;
      case "sliced": {
        const looking = this.#looking.get(message.picture);
        if (looking) looking.layout = message.layout;
        return looking?.sliced(message.layout);
      }
      case "seen": {
        const { layout, end } = this.#take(this.#looking, message.picture);
        if (layout) end?.resolve({ layout, timings: message.timings });
        return;
      }
      case "stopped":
        return this.#take(this.#looking, message.picture).end?.reject(aborted("Looking was stopped."));
      case "token":
        return this.#answering.get(message.id)?.say(message.text);
      case "done":
        return this.#take(this.#answering, message.id).end?.resolve(message.answer);
      case "failed": {
        const error = new LoupeError(message.kind, message.message);
        if (message.id !== null) this.#take(this.#answering, message.id).end?.reject(error);
        else if (message.picture !== null) this.#take(this.#looking, message.picture).end?.reject(error);
        else this.#end(error);
      }
    }
  }

  /** The model was opened where it could be fetched; the same is to happen where nothing can. */
  #startSealing(): void {
    if (this.kept.files.length > 0) return this.#post({ type: "parts" });
    const why = "A sealed engine reads its model from files, and none are held";
    this.#end(new LoupeError("storage", `${why}: ${this.kept.why}. Let the model be kept, or load it without \`seal\`.`));
  }

  #take<T extends object>(map: Map<number, T>, key: number): Partial<T> {
    const value = map.get(key);
    map.delete(key);
    return value ?? {};
  }

  /** Ends the worker and everything that waits for it. */
  #end(reason: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#moving = false;
    this.#calm();
    const waiting = [this.#opening, ...[...this.#looking.values(), ...this.#answering.values()].map(({ end }) => end)];
    this.#opening = undefined;
    this.#looking.clear();
    this.#answering.clear();
    for (const end of waiting) end?.reject(reason);
  }

  /** The worker died or hangs: a new one takes its place, with the same model and, if it bears them, the same pictures. */
  #fail(cause: string): void {
    const opening = this.#opening !== undefined;
    const looking = this.#looking.size > 0;
    const sentence = opening
      ? "Loupe could not start in this browser; reload the page, or try a current Chrome, Edge, Firefox or Safari."
      : looking
        ? "Looking at this picture made Loupe stop; it is starting again, so choose another picture."
        : "Loupe stopped unexpectedly and is starting again with the same picture; ask once more.";
    const error = new LoupeError("internal", sentence, { cause });
    this.#end(error);
    if (opening) return;
    this.#events.emit("restarting", error);
    this.#ready = this.#restart();
    this.#ready.catch((error: LoupeError) => this.#events.emit("ended", error));
  }

  async #restart(): Promise<void> {
    await this.open();
    // Taken out first: a picture that brings the engine down is not tried a second time.
    const pictures = this.#pictures.splice(0);
    for (const picture of pictures) {
      const seen = await this.#look(picture.file, picture.manner, () => undefined).catch(() => undefined);
      if (!seen) break;
      this.#pictures.push(picture);
    }
    this.#events.emit("restarted", { picture: pictures.length > 0 && this.#pictures.length === pictures.length });
  }
}
