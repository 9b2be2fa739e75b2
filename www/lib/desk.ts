// One picture, one conversation, one model that is loaded when it is first wanted: what the element and the React hook show.

import { aborted } from "./error.js";
import type { Asking, LoadOptions, Loupe, SeeOptions } from "./index.js";
import type { PictureSource } from "./picture.js";
import type { Answer, Layout, Phase } from "./protocol.gen.js";

/**
 * What is being done; `failed` when there is no model and none is coming. `moving`: the GPU failed, and what is under way waits until
 * the model is open again; nothing of it is lost.
 */
export type Status = "idle" | "loading" | "looking" | "answering" | "moving" | "ready" | "failed";

/** How to load the model, and how to look at pictures. */
export type DeskOptions = LoadOptions & Pick<SeeOptions, "detail" | "remember">;

/** What there is to show. Every change makes a new one. */
export interface DeskState {
  readonly status: Status;
  /** Whether a picture is being looked at or a question answered, or waits to be: `stop` ends it. */
  readonly busy: boolean;
  /** How far what is under way has come: bytes of the model, views of the picture, tokens of the question. */
  readonly progress: { readonly phase: "fetch" | Phase; readonly done: number; readonly total: number } | undefined;
  /** The model, once it is loaded. */
  readonly loupe: Loupe | undefined;
  /** The picture as a file. */
  readonly picture: Blob | undefined;
  /** How it was cut, once that is known, and how many of its views are encoded. */
  readonly layout: Layout | undefined;
  readonly encoded: number;
  /** The last question. */
  readonly question: string;
  /** What was answered so far. */
  readonly answer: string;
  /** The whole answer and what it cost, once it is complete. */
  readonly result: Answer | undefined;
  /** What went wrong last; stopping is no error. */
  readonly error: Error | undefined;
}

/** Where everything begins, and what a server shows. */
export const EMPTY: DeskState = {
  status: "idle",
  busy: false,
  progress: undefined,
  loupe: undefined,
  picture: undefined,
  layout: undefined,
  encoded: 0,
  question: "",
  answer: "",
  result: undefined,
  error: undefined,
};

/** Its methods never reject: they resolve to undefined where they are stopped or fail, and `state.error` says why. */
export class Desk {
  state: DeskState = EMPTY;
  readonly #options: () => DeskOptions;
  readonly #changed: () => void;
  #leave = new AbortController();
  #opening: Promise<Loupe> | undefined;
  #looking: AbortController | undefined;
  #answering: AbortController | undefined;
  #moving = false;
  /** Settled once the picture was looked at, or could not be. */
  #sight: Promise<unknown> = Promise.resolve();

  /** `options` are asked for when they are needed; `changed` hears that there is something else to show. */
  constructor(options: () => DeskOptions, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
  }

  /** Loads the model, unless that was begun already. */
  async load(): Promise<Loupe | undefined> {
    return this.#open().catch((error: unknown) => this.#fail(error));
  }

  /** Looks at a picture, in the place of the one before; what is under way is stopped. Resolves to how it was cut. */
  async see(source: PictureSource): Promise<Layout | undefined> {
    this.stop();
    const mine = (this.#looking = new AbortController());
    this.#set({ picture: undefined, layout: undefined, encoded: 0, question: "", answer: "", result: undefined, error: undefined });
    const sight = this.#look(source, mine).catch((error: unknown) => this.#fail(error, mine));
    this.#sight = sight;
    try {
      return await sight;
    } finally {
      if (this.#looking === mine) this.#looking = undefined;
      this.#set({});
    }
  }

  /** Asks about the picture; while it is still being looked at, the question waits. Resolves to the whole answer. */
  async ask(question: string, options: Asking = {}): Promise<Answer | undefined> {
    this.#answering?.abort();
    const mine = (this.#answering = new AbortController());
    this.#set({ question, answer: "", result: undefined, error: undefined });
    try {
      const { signal: outer, ...rest } = options;
      return await this.#answer(question, rest, outer ? AbortSignal.any([outer, mine.signal]) : mine.signal);
    } catch (error) {
      return this.#fail(error, mine);
    } finally {
      if (this.#answering === mine) this.#answering = undefined;
      this.#set({});
    }
  }

  /** Stops looking and answering. What was said so far stays. */
  stop(): void {
    this.#looking?.abort(aborted("Looking was stopped."));
    this.#answering?.abort(aborted("The answer was stopped."));
  }

  /** Ends the model and forgets everything; the next call begins anew. */
  close(): void {
    this.stop();
    this.#leave.abort(aborted("Loupe was closed."));
    this.#leave = new AbortController();
    this.state.loupe?.close();
    [this.#opening, this.#looking, this.#answering, this.#sight] = [undefined, undefined, undefined, Promise.resolve()];
    this.#moving = false;
    this.state = EMPTY;
    this.#changed();
  }

  #open(): Promise<Loupe> {
    this.#opening ??= this.#fetch(this.#leave.signal);
    this.#set({ error: undefined });
    return this.#opening;
  }

  async #fetch(signal: AbortSignal): Promise<Loupe> {
    // The engine's own code comes only now, so that a page is there before it.
    const { Loupe } = await import("./index.js");
    signal.throwIfAborted();
    const progress = (loaded: number, total: number) => this.#set({ progress: { phase: "fetch", done: loaded, total } });
    const options = this.#options();
    const loupe = await Loupe.load({
      ...options,
      signal,
      onProgress: (now) => (options.onProgress?.(now), progress(now.loaded, now.total)),
    });
    // Closed meanwhile: nobody will ask for it.
    if (signal.aborted) loupe.close();
    signal.throwIfAborted();
    loupe.on("progress", ({ phase, done, total }) => {
      this.#set({ progress: { phase, done, total }, ...(phase === "encode" && { encoded: done }) });
    });
    loupe.on("restarting", (error) => {
      this.#moving = false;
      this.#set({ error });
    });
    loupe.on("restarted", ({ picture }) => this.#set(picture ? {} : { picture: undefined, layout: undefined, encoded: 0 }));
    loupe.on("moving", () => this.#move(true));
    loupe.on("moved", () => this.#move(false));
    loupe.on("ended", (error) => this.#lose(error));
    this.#set({ loupe });
    return loupe;
  }

  async #look(source: PictureSource, mine: AbortController): Promise<Layout> {
    // Before the model is there: what a canvas or a video shows may change.
    const { fileOf } = await import("./picture.js");
    const picture = await fileOf(source, mine.signal);
    const loupe = await this.#open();
    mine.signal.throwIfAborted();
    const onSliced = (layout: Layout) => this.#set({ picture, layout });
    const { detail, remember = false } = this.#options();
    return (await loupe.see(picture, { detail, remember, signal: mine.signal, onSliced })).layout;
  }

  async #answer(question: string, options: Asking, signal: AbortSignal): Promise<Answer> {
    const loupe = await this.#open();
    await this.#sight;
    signal.throwIfAborted();
    const answer = loupe.ask(question, { ...options, signal });
    for await (const piece of answer) this.#set({ answer: this.state.answer + piece });
    const result = await answer;
    this.#set({ answer: result.text, result });
    return result;
  }

  /** Shows what went wrong, unless it was stopped or something else has taken its place. */
  #fail(error: unknown, mine?: AbortController): undefined {
    if (mine && mine === this.#looking) this.#set({ picture: undefined, layout: undefined, encoded: 0 });
    const stopped = mine?.signal.aborted || (error instanceof DOMException && error.name === "AbortError");
    if (!stopped) this.#set({ error: error instanceof Error ? error : new Error(String(error)) });
    return undefined;
  }

  #move(moving: boolean): void {
    this.#moving = moving;
    this.#set({});
  }

  #lose(error: Error): void {
    this.#moving = false;
    this.#opening = undefined;
    this.#set({ loupe: undefined, error });
  }

  #set(change: Partial<DeskState>): void {
    const next = { ...this.state, ...change };
    const status = this.#statusOf(next);
    const progress = status === this.state.status || change.progress ? next.progress : undefined;
    const busy = this.#looking !== undefined || this.#answering !== undefined;
    this.state = { ...next, status, busy, progress: status === "ready" || status === "idle" ? undefined : progress };
    this.#changed();
  }

  #statusOf({ loupe, error }: DeskState): Status {
    if (!loupe && error && !this.#opening) return "failed";
    if (!loupe) return this.#opening ? "loading" : "idle";
    if (this.#moving) return "moving";
    if (this.#looking) return "looking";
    return this.#answering ? "answering" : "ready";
  }
}
