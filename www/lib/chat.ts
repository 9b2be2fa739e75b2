/**
 * Loupe in the form of OpenAI's chat completions, in this page and without a server:
 *
 * ```ts
 * import { chat } from "loupe-vlm/chat";
 *
 * const client = { chat: chat(await Loupe.load()) };
 * const { choices } = await client.chat.completions.create({ messages: [{ role: "user", content: [
 *   { type: "image_url", image_url: { url } }, { type: "text", text: "What colour is the triangle?" }] }] });
 * ```
 */

import { converse, type Message } from "./conversation.js";
import { unsupported } from "./error.js";
import type { Asking, Loupe } from "./index.js";
import type { PictureSource } from "./picture.js";
import type { Answer, Format } from "./protocol.gen.js";

/** A part of a message. `image_url` is OpenAI's; an `image` part takes any picture that a page has. */
export type ChatPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: string | { readonly url: string } }
  | { readonly type: "image"; readonly image: PictureSource };

/** A message of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "developer" | "user" | "assistant";
  readonly content: string | readonly ChatPart[];
}

/** What is asked. Fields of OpenAI's that Loupe cannot honour are refused by name, those without consequence are passed over. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** Passed over: what answers is the Loupe that `chat` was given. */
  readonly model?: string;
  /** Whether the answer comes in chunks. */
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  /** 64 unless told otherwise. */
  readonly max_completion_tokens?: number | null;
  readonly max_tokens?: number | null;
  /** 0, the likeliest answer, unless told otherwise. */
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  readonly min_p?: number | null;
  readonly seed?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly response_format?:
    | { readonly type: "text" | "json_object" }
    | { readonly type: "json_schema"; readonly json_schema: { readonly schema?: object | boolean } }
    | null;
}

/** Tokens counted, by the names that OpenAI gives them. */
export interface ChatUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number; readonly image_tokens: number };
}

/** Tokens and milliseconds of the stages, as llama.cpp's server names them. */
export interface ChatTimings {
  readonly cache_n: number;
  readonly prompt_n: number;
  readonly prompt_ms: number;
  readonly predicted_n: number;
  readonly predicted_ms: number;
}

interface Head<Kind extends string> {
  readonly id: string;
  readonly object: Kind;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  /** The hash of the model's files. */
  readonly system_fingerprint: string;
}

/** A whole answer. */
export interface ChatCompletion extends Head<"chat.completion"> {
  readonly choices: readonly [
    {
      readonly index: 0;
      readonly message: { readonly role: "assistant"; readonly content: string; readonly refusal: null };
      readonly finish_reason: "stop" | "length";
      readonly logprobs: null;
    },
  ];
  readonly usage: ChatUsage;
  readonly timings: ChatTimings;
}

/** A piece of an answer. */
export interface ChatChunk extends Head<"chat.completion.chunk"> {
  readonly choices: readonly {
    readonly index: 0;
    readonly delta: { readonly role?: "assistant"; readonly content?: string };
    readonly finish_reason: "stop" | "length" | null;
    readonly logprobs: null;
  }[];
  /** In the last chunk, where `stream_options.include_usage` asks for it. */
  readonly usage?: ChatUsage | null;
  /** In the chunk that ends the answer. */
  readonly timings?: ChatTimings;
}

/** What `client.chat.completions` has. */
export interface Completions {
  /** Answers; rejects with `AbortError` when `signal` stops it. */
  create(request: ChatRequest & { readonly stream?: false | null }, options?: { readonly signal?: AbortSignal }): Promise<ChatCompletion>;
  /** Answers in chunks; leaving the loop over them stops the answer. */
  create(request: ChatRequest & { readonly stream: true }, options?: { readonly signal?: AbortSignal }): Promise<AsyncIterable<ChatChunk>>;
  create(request: ChatRequest, options?: { readonly signal?: AbortSignal }): Promise<ChatCompletion | AsyncIterable<ChatChunk>>;
}

/** The chat completions of `loupe`. Requests wait for each other; pictures that were shown before are not looked at again. */
export function chat(loupe: Loupe): { readonly completions: Completions } {
  async function create(request: ChatRequest, { signal }: { readonly signal?: AbortSignal } = {}) {
    refuse(request as unknown as Record<string, unknown>);
    const answer = converse(loupe, request.messages.map(messageOf), { ...samplingOf(request), signal });
    const head = {
      id: `chatcmpl-${crypto.randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: loupe.model.name,
      system_fingerprint: loupe.model.hash,
    };
    return request.stream ? chunks(answer, head, request) : whole(await answer, head);
  }
  return { completions: { create: create as Completions["create"] } };
}

type Untyped = Omit<Head<never>, "object">;

function whole(answer: Answer, head: Untyped): ChatCompletion {
  const message = { role: "assistant", content: answer.text, refusal: null } as const;
  const choice = { index: 0, message, finish_reason: finishOf(answer), logprobs: null } as const;
  return { ...head, object: "chat.completion", choices: [choice], usage: usageOf(answer), timings: timingsOf(answer) };
}

async function* chunks(answer: ReturnType<typeof converse>, head: Untyped, { stream_options }: ChatRequest): AsyncGenerator<ChatChunk> {
  const told = stream_options?.include_usage === true;
  const chunk = (delta: ChatChunk["choices"][number]["delta"], finish_reason: "stop" | "length" | null = null): ChatChunk => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason, logprobs: null }],
    ...(told ? { usage: null } : {}),
  });
  try {
    yield chunk({ role: "assistant", content: "" });
    for await (const content of answer) yield chunk({ content });
    const end = await answer;
    yield { ...chunk({}, finishOf(end)), timings: timingsOf(end) };
    if (told) yield { ...chunk({}), choices: [], usage: usageOf(end) };
  } finally {
    answer.stop();
  }
}

function messageOf({ role, content }: ChatMessage): Message {
  const parts: readonly ChatPart[] = typeof content === "string" ? [{ type: "text", text: content }] : content;
  const texts: string[] = [];
  const pictures: PictureSource[] = [];
  for (const part of parts) {
    if (part.type === "text") texts.push(part.text);
    else if (part.type === "image_url") pictures.push(typeof part.image_url === "string" ? part.image_url : part.image_url.url);
    else if (part.type === "image") pictures.push(part.image);
    else throw unsupported(`Parts of the type "${(part as { type: string }).type}" are not supported; send text and image_url.`);
  }
  return { role: role === "developer" ? "system" : role, text: texts.join("\n"), pictures };
}

function samplingOf(request: ChatRequest): Asking {
  const fields = {
    maxTokens: request.max_completion_tokens ?? request.max_tokens,
    temperature: request.temperature,
    topP: request.top_p,
    topK: request.top_k,
    minP: request.min_p,
    seed: request.seed,
    stop: typeof request.stop === "string" ? [request.stop] : request.stop,
    format: request.response_format && formatOf(request.response_format),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as Asking;
}

function formatOf(format: NonNullable<ChatRequest["response_format"]>): Format {
  switch (format.type) {
    case "text":
      return { type: "text" };
    case "json_object":
      return { type: "json", schema: { type: "object" } };
    case "json_schema":
      return { type: "json", schema: format.json_schema.schema ?? true };
    default:
      throw unsupported(`The response_format "${(format as { type: string }).type}" is not supported; ask for text, json_object or json_schema.`);
  }
}

/** What would change the answer if it were honoured, and the values at which it changes nothing. */
const REFUSED: Record<string, (value: unknown) => boolean> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  tools: (value) => Array.isArray(value) && value.length === 0,
  functions: (value) => Array.isArray(value) && value.length === 0,
  logit_bias: (value) => Object.keys(value as object).length === 0,
  presence_penalty: (value) => value === 0,
  frequency_penalty: (value) => value === 0,
  modalities: (value) => Array.isArray(value) && value.every((one) => one === "text"),
};

function refuse(request: Record<string, unknown>): void {
  for (const [field, harmless] of Object.entries(REFUSED)) {
    const value = request[field];
    if (value !== undefined && value !== null && !harmless(value)) throw unsupported(`"${field}" is not supported; leave it out.`);
  }
}

function finishOf({ finish }: Answer): "stop" | "length" {
  return finish === "length" ? "length" : "stop";
}

function usageOf({ usage }: Answer): ChatUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.answerTokens,
    total_tokens: usage.promptTokens + usage.answerTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, image_tokens: usage.pictureTokens },
  };
}

function timingsOf({ usage }: Answer): ChatTimings {
  return {
    cache_n: usage.cachedTokens,
    prompt_n: usage.promptTokens - usage.cachedTokens,
    prompt_ms: usage.prefillMs,
    predicted_n: usage.answerTokens,
    predicted_ms: usage.decodeMs,
  };
}
