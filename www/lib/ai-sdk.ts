/**
 * Loupe as a model of the AI SDK (its provider specification v4, without a dependency on it):
 *
 * ```ts no-run
 * import { streamText } from "ai";
 * import { loupeModel } from "loupe-vlm/ai-sdk";
 *
 * const { textStream } = streamText({ model: loupeModel(await Loupe.load()), messages });
 * ```
 */

import { converse, type Message } from "./conversation.js";
import { unsupported } from "./error.js";
import type { Asking, Loupe } from "./index.js";
import type { PictureSource } from "./picture.js";
import type { Answer, Format } from "./protocol.gen.js";

/** The data of a file, as the AI SDK hands it over. */
export type AiFileData =
  | { readonly type: "data"; readonly data: Uint8Array | string }
  | { readonly type: "url"; readonly url: URL }
  | { readonly type: "text" | "reference" };

/** A part of a message. */
export interface AiPart {
  readonly type: string;
  readonly text?: string;
  readonly data?: AiFileData;
  readonly mediaType?: string;
}

/** A message of a prompt. */
export interface AiMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string | readonly AiPart[];
}

/** What the AI SDK calls a model with. */
export interface AiCall {
  readonly prompt: readonly AiMessage[];
  readonly maxOutputTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly seed?: number | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly presencePenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly stopSequences?: readonly string[] | undefined;
  readonly responseFormat?: { readonly type: "text" } | { readonly type: "json"; readonly schema?: object | boolean } | undefined;
  readonly tools?: readonly unknown[] | undefined;
}

/** What was asked for and is not done. */
export interface AiWarning {
  type: "unsupported";
  feature: string;
}

/** Tokens counted. */
export interface AiUsage {
  inputTokens: { total: number; noCache: number; cacheRead: number; cacheWrite: undefined };
  outputTokens: { total: number; text: number; reasoning: undefined };
}

/** Why an answer ended, in the AI SDK's word and in Loupe's. */
export interface AiFinish {
  unified: "stop" | "length";
  raw: string;
}

/** A whole answer. */
export interface AiResponse {
  modelId: string;
}

/** A piece of an answer on its way. */
export type AiStreamPart =
  | { type: "stream-start"; warnings: AiWarning[] }
  | ({ type: "response-metadata" } & AiResponse)
  | { type: "text-start" | "text-end"; id: string }
  | { type: "text-delta"; id: string; delta: string }
  | { type: "finish"; usage: AiUsage; finishReason: AiFinish }
  | { type: "error"; error: unknown };

/** What the AI SDK takes for a language model. */
export interface AiModel {
  readonly specificationVersion: "v4";
  readonly provider: "loupe";
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]>;
  doGenerate(call: AiCall): Promise<{
    content: { type: "text"; text: string }[];
    finishReason: AiFinish;
    usage: AiUsage;
    response: AiResponse;
    warnings: AiWarning[];
  }>;
  doStream(call: AiCall): Promise<{ stream: ReadableStream<AiStreamPart> }>;
}

/** The id of the one text that an answer is. */
const ID = "0";

/** `loupe` as a language model of the AI SDK. Settings that it cannot honour come back as warnings. */
export function loupeModel(loupe: Loupe): AiModel {
  const response = { modelId: loupe.model.name };
  const ask = (call: AiCall) => converse(loupe, call.prompt.map(messageOf), samplingOf(call));
  return {
    specificationVersion: "v4",
    provider: "loupe",
    modelId: loupe.model.name,
    // Addresses are left to Loupe, which fetches a picture once.
    supportedUrls: { "image/*": [/^(https?|blob|data):/] },
    async doGenerate(call) {
      const answer = await ask(call);
      const content = [{ type: "text" as const, text: answer.text }];
      return { content, finishReason: finishOf(answer), usage: usageOf(answer), response, warnings: warningsOf(call) };
    },
    async doStream(call) {
      const answer = ask(call);
      const rest = parts(answer, warningsOf(call), response, call.abortSignal);
      const stream = new ReadableStream<AiStreamPart>({
        async pull(controller) {
          const { done, value } = await rest.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => answer.stop(),
      });
      return { stream };
    },
  };
}

async function* parts(
  answer: ReturnType<typeof converse>,
  warnings: AiWarning[],
  response: AiResponse,
  signal: AbortSignal | undefined,
): AsyncGenerator<AiStreamPart> {
  yield { type: "stream-start", warnings };
  yield { type: "response-metadata", ...response };
  try {
    yield { type: "text-start", id: ID };
    for await (const delta of answer) yield { type: "text-delta", id: ID, delta };
    yield { type: "text-end", id: ID };
    const end = await answer;
    yield { type: "finish", usage: usageOf(end), finishReason: finishOf(end) };
  } catch (error) {
    // Who stopped it knows why; the AI SDK tells the two apart.
    if (signal?.aborted) throw error;
    yield { type: "error", error };
  }
}

function messageOf({ role, content }: AiMessage): Message {
  if (role === "tool") throw unsupported("Tools are not supported; leave their messages out.");
  const parts: readonly AiPart[] = typeof content === "string" ? [{ type: "text", text: content }] : content;
  const texts: string[] = [];
  const pictures: PictureSource[] = [];
  for (const { type, text = "", data, mediaType = "" } of parts) {
    if (type === "text") texts.push(text);
    else if (type === "file" && data && /^image(\/|$)/.test(mediaType)) pictures.push(pictureOf(data));
    // What a model thought before it answered is no part of the conversation.
    else if (type !== "reasoning") throw unsupported(`Parts of the type "${type}" ${mediaType && `and ${mediaType} `}are not supported; send text and pictures.`);
  }
  return { role, text: texts.join("\n"), pictures };
}

function pictureOf(data: AiFileData): PictureSource {
  if (data.type === "url") return data.url;
  if (data.type !== "data") throw unsupported(`Pictures by ${data.type} are not supported; give bytes or an address.`);
  return typeof data.data === "string" ? `data:;base64,${data.data}` : (data.data as Uint8Array<ArrayBuffer>);
}

function samplingOf({ maxOutputTokens, temperature, topP, topK, seed, stopSequences, responseFormat, abortSignal }: AiCall): Asking {
  const format: Format | undefined = responseFormat?.type === "json" ? { type: "json", schema: responseFormat.schema ?? true } : undefined;
  const fields = { maxTokens: maxOutputTokens, temperature, topP, topK, seed, stop: stopSequences, format, signal: abortSignal };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Asking;
}

function warningsOf(call: AiCall): AiWarning[] {
  const unheard = {
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    tools: call.tools?.length,
  };
  return Object.entries(unheard).flatMap(([feature, asked]) => (asked ? [{ type: "unsupported" as const, feature }] : []));
}

function finishOf({ finish }: Answer): AiFinish {
  return { unified: finish === "length" ? "length" : "stop", raw: finish };
}

function usageOf({ usage: { promptTokens, cachedTokens, answerTokens } }: Answer): AiUsage {
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens - cachedTokens, cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: answerTokens, text: answerTokens, reasoning: undefined },
  };
}
