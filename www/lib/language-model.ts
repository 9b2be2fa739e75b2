/**
 * Loupe in the form of the Prompt API's `LanguageModel`, in every browser that runs Loupe:
 *
 * ```ts
 * import { LanguageModel } from "loupe-vlm/language-model";
 *
 * const session = await LanguageModel.create({ expectedInputs: [{ type: "image" }] });
 * await session.append([{ role: "user", content: [{ type: "image", value: picture }] }]);
 * for await (const text of session.promptStreaming("What colour is the triangle?")) output.append(text);
 * ```
 */

import { converse, type Message } from "./conversation.js";
import { aborted, LoupeError, unsupported } from "./error.js";
import { Loupe, type LoadOptions } from "./index.js";
import type { PictureSource } from "./picture.js";
import type { Availability } from "./probe.js";
import type { Answer, Format } from "./protocol.gen.js";

/** A part of a message: words, or any picture that a page has. */
export type LanguageModelContent =
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "image"; readonly value: PictureSource };

/** A message of a conversation. */
export interface LanguageModelMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly LanguageModelContent[];
}

/** Words of the user, or messages. */
export type LanguageModelInput = string | readonly LanguageModelMessage[];

/** What a session may be given and may say. */
export interface LanguageModelExpected {
  readonly type: string;
  readonly languages?: readonly string[];
}

/** What `create` and `availability` are asked with. Which model, and how it is run, are Loupe's own options. */
export interface LanguageModelOptions extends Pick<LoadOptions, "model" | "hub" | "device" | "engine" | "threads" | "keep" | "offline"> {
  readonly expectedInputs?: readonly LanguageModelExpected[];
  readonly expectedOutputs?: readonly LanguageModelExpected[];
}

/** How to begin a session; which model is run, and how, are Loupe's own options beside the Prompt API's. */
export interface LanguageModelCreateOptions extends LanguageModelOptions {
  readonly initialPrompts?: readonly LanguageModelMessage[];
  readonly signal?: AbortSignal;
  /** Hears of `downloadprogress`, whose `loaded` goes from 0 to 1. */
  readonly monitor?: (monitor: EventTarget) => void;
  /** A Loupe that is loaded already; it is not closed with the session. */
  readonly loupe?: Loupe;
}

/** How to answer. */
export interface LanguageModelPromptOptions {
  readonly signal?: AbortSignal;
  /** A JSON schema, or an expression that the whole answer matches, in the syntax that JavaScript's and Rust's share. */
  readonly responseConstraint?: object | boolean | RegExp;
}

/** A model that several sessions may share, and how many do. */
interface Shared {
  readonly loupe: Loupe;
  readonly owned: boolean;
  users: number;
}

/** A conversation. Sessions made by `clone` share one model, and wait for each other. */
export class LanguageModel {
  readonly #shared: Shared;
  readonly #end = new AbortController();
  #messages: readonly Message[];
  #usage = 0;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(shared: Shared, messages: readonly Message[], usage = 0) {
    this.#shared = shared;
    this.#messages = messages;
    this.#usage = usage;
    shared.users += 1;
  }

  /** Whether `create` would succeed, and whether it would fetch anything; fetches nothing itself. */
  static async availability(options: LanguageModelOptions = {}): Promise<Availability> {
    return expectable(options) ? Loupe.availability(options) : "unavailable";
  }

  /** Loads the model and begins a conversation. */
  static async create(options: LanguageModelCreateOptions = {}): Promise<LanguageModel> {
    const { initialPrompts = [], expectedInputs: _, expectedOutputs: __, signal, monitor, loupe, ...load } = options;
    if (!expectable(options)) throw unsupported("Loupe is given text and pictures, and says text; expect nothing else.");
    const messages = initialPrompts.map(messageOf);
    signal?.throwIfAborted();
    if (loupe) return new LanguageModel({ loupe, owned: false, users: 0 }, messages);
    const target = new EventTarget();
    monitor?.(target);
    const tell = (loaded: number) => void target.dispatchEvent(Object.assign(new Event("downloadprogress"), { loaded, total: 1 }));
    tell(0);
    const owned = await Loupe.load({ ...load, signal, onProgress: ({ loaded, total }) => total > loaded && tell(loaded / total) });
    tell(1);
    return new LanguageModel({ loupe: owned, owned: true, users: 0 }, messages);
  }

  /** Tokens of the conversation after its last answer. */
  get contextUsage(): number {
    return this.#usage;
  }

  /** The most tokens a conversation can have. */
  get contextWindow(): number {
    return this.#shared.loupe.model.context;
  }

  /** Answers. */
  async prompt(input: LanguageModelInput, options: LanguageModelPromptOptions = {}): Promise<string> {
    return (await this.#ask(input, options, () => undefined)).text;
  }

  /** Answers piece by piece; cancelling the stream stops the answer. */
  promptStreaming(input: LanguageModelInput, options: LanguageModelPromptOptions = {}): ReadableStream<string> {
    const stopper = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stopper.signal]) : stopper.signal;
    return new ReadableStream<string>({
      start: (controller) => {
        this.#ask(input, { ...options, signal }, (text) => controller.enqueue(text)).then(
          () => controller.close(),
          (reason: unknown) => controller.error(reason),
        );
      },
      cancel: (reason) => stopper.abort(reason),
    });
  }

  /** Puts messages into the conversation without asking for an answer. They are read with the next question. */
  append(input: LanguageModelInput, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#inTurn(async () => {
      signal?.throwIfAborted();
      this.#messages = [...this.#messages, ...messagesOf(input)];
    });
  }

  /** Another session that begins with this conversation. */
  async clone({ signal }: { readonly signal?: AbortSignal } = {}): Promise<LanguageModel> {
    this.#end.signal.throwIfAborted();
    signal?.throwIfAborted();
    return new LanguageModel(this.#shared, this.#messages, this.#usage);
  }

  /** Ends the session, and the model with the last session that has it. What is under way ends in `AbortError`. */
  destroy(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort(aborted("The session was destroyed."));
    this.#shared.users -= 1;
    if (this.#shared.users === 0 && this.#shared.owned) this.#shared.loupe.close();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #ask(input: LanguageModelInput, options: LanguageModelPromptOptions, say: (text: string) => void): Promise<Answer> {
    const { signal: outer, responseConstraint } = options;
    return this.#inTurn(async () => {
      const signal = outer ? AbortSignal.any([outer, this.#end.signal]) : this.#end.signal;
      const messages = [...this.#messages, ...messagesOf(input)];
      const asked = converse(this.#shared.loupe, messages, { signal, ...(responseConstraint !== undefined && { format: formatOf(responseConstraint) }) });
      for await (const piece of asked) say(piece);
      const answer = await asked;
      // What was stopped or failed was not said, and the conversation is as before.
      this.#messages = [...messages, { role: "assistant", text: answer.text, pictures: [] }];
      this.#usage = answer.usage.promptTokens + answer.usage.answerTokens;
      return answer;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(() => {
      this.#end.signal.throwIfAborted();
      return work();
    });
    this.#tail = mine.catch(() => undefined);
    return mine;
  }
}

function expectable({ expectedInputs = [], expectedOutputs = [] }: LanguageModelOptions): boolean {
  const are = (expected: readonly LanguageModelExpected[], types: readonly string[]) => expected.every(({ type }) => types.includes(type));
  return are(expectedInputs, ["text", "image"]) && are(expectedOutputs, ["text"]);
}

function formatOf(constraint: object | boolean): Format {
  return constraint instanceof RegExp ? { type: "regex", pattern: constraint.source } : { type: "json", schema: constraint };
}

function messagesOf(input: LanguageModelInput): Message[] {
  return typeof input === "string" ? [{ role: "user", text: input, pictures: [] }] : input.map(messageOf);
}

function messageOf({ role, content }: LanguageModelMessage): Message {
  if (role !== "system" && role !== "user" && role !== "assistant") throw new LoupeError("usage", `"${String(role)}" is no role; there are system, user, assistant.`);
  const texts: string[] = [];
  const pictures: PictureSource[] = [];
  for (const part of typeof content === "string" ? [{ type: "text", value: content } as const] : content) {
    if (part.type === "text") texts.push(part.value);
    else if (part.type === "image") pictures.push(part.value);
    else throw unsupported(`Content of the type "${(part as { type: string }).type}" is not supported; give text and image.`);
  }
  return { role, text: texts.join("\n"), pictures };
}
