// Loupe in the forms of other interfaces, each asked what a stranger to Loupe would ask it.

import type { LanguageModelV4 } from "@ai-sdk/provider";
import { expect, type Page } from "@playwright/test";
import type * as AiSdk from "../../pkg/dist/ai-sdk.js";
import type * as Chat from "../../pkg/dist/chat.js";
import type * as Index from "../../pkg/dist/index.js";
import type * as Prompt from "../../pkg/dist/language-model.js";
import { PACKAGE, test as base } from "./models.js";

/** The compiler holds our model to the AI SDK's own type. */
export const conforming = (loupe: Index.Loupe, sdk: typeof AiSdk): LanguageModelV4 => sdk.loupeModel(loupe);

interface Adapters {
  readonly chat: typeof Chat.chat;
  readonly LanguageModel: typeof Prompt.LanguageModel;
  readonly loupeModel: typeof AiSdk.loupeModel;
  readonly one: Index.Loupe;
  /** The picture as a `data:` address. */
  readonly address: string;
  /** Views that were encoded. */
  readonly encoded: () => number;
}

declare global {
  interface Window {
    adapters: Adapters;
  }
}

const test = base.extend<{ desk: Page }>({
  desk: async ({ bare }, use) => {
    const script = ["chat", "language-model", "ai-sdk"].map((name, i) => `import * as m${i} from "${PACKAGE}${name}.js";`).join("\n");
    await bare.addScriptTag({ type: "module", content: `${script}\nwindow.adapters = { ...m0, ...m1, ...m2 };` });
    await bare.waitForFunction(() => window.adapters !== undefined);
    await bare.evaluate(async () => {
      const one = await window.loupe.Loupe.load();
      let views = 0;
      one.on("progress", ({ phase, done }) => (views += phase === "encode" && done > 0 ? 1 : 0));
      const address = await new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.addEventListener("load", () => resolve(reader.result as string));
        reader.readAsDataURL(window.picture);
      });
      Object.assign(window.adapters, { one, address, encoded: () => views });
    });
    await use(bare);
  },
});

const QUESTION = "What colour is the triangle?";

test("chat completions answer whole and in chunks, and look at a picture once", async ({ desk }) => {
  const found = await desk.evaluate(async (question) => {
    const { chat, one, address, encoded } = window.adapters;
    const { completions } = chat(one);
    const messages: Chat.ChatMessage[] = [
      { role: "user", content: [{ type: "image_url", image_url: { url: address } }, { type: "text", text: question }] },
    ];
    const whole = await completions.create({ model: "any", messages });
    const views = encoded();
    const chunks: Chat.ChatChunk[] = [];
    for await (const chunk of await completions.create({ messages, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    // A conversation that was had elsewhere: what the assistant said comes from who asks.
    const longer: Chat.ChatMessage[] = [...messages, { role: "assistant", content: "blue" }, { role: "user", content: question }];
    const next = await completions.create({ messages: longer });
    // The same bytes in another form are the same picture.
    const blob = await completions.create({ messages: [{ role: "user", content: [{ type: "image", image: window.picture }, { type: "text", text: question }] }] });
    const again = encoded();
    const direct = await one.ask(window.picture, question);
    return { whole, chunks, next, blob, views, again, direct, name: one.model.name };
  }, QUESTION);
  const { whole, chunks } = found;
  expect(whole).toMatchObject({ object: "chat.completion", model: found.name, choices: [{ index: 0, message: { role: "assistant", content: found.direct.text }, finish_reason: "stop" }] });
  const { promptTokens, answerTokens, pictureTokens } = found.direct.usage;
  expect(whole.usage).toMatchObject({ prompt_tokens: promptTokens, completion_tokens: answerTokens, total_tokens: promptTokens + answerTokens });
  expect(whole.usage.prompt_tokens_details.image_tokens).toBe(pictureTokens);
  expect(whole.timings.prompt_n + whole.timings.cache_n).toBe(promptTokens);

  expect(chunks[0]?.choices[0]?.delta).toEqual({ role: "assistant", content: "" });
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(found.direct.text);
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
  expect(chunks.at(-1)).toMatchObject({ object: "chat.completion.chunk", choices: [], usage: { prompt_tokens: promptTokens } });
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);

  expect(found.next.usage.prompt_tokens).toBeGreaterThan(promptTokens);
  expect(found.blob.choices[0].message.content).toBe(found.direct.text);
  expect(found.views).toBeGreaterThan(0);
  expect(found.again).toBe(found.views);
});

test("chat completions hold answers to a form, and refuse by name what they cannot do", async ({ desk }) => {
  const found = await desk.evaluate(async (question) => {
    const { chat, one } = window.adapters;
    const { completions } = chat(one);
    const text = { type: "text", text: question } as const;
    const user = { role: "user", content: [{ type: "image", image: window.picture }, text] } as const;
    const schema = { enum: ["red", "blue"] };
    const json = await completions.create({ messages: [user], response_format: { type: "json_schema", json_schema: { schema } } });
    const stopped = await completions.create({ messages: [user], stop: "ue" });
    const refusal = (error: Error) => `${error.name}: ${error.message}`;
    const cases: Chat.ChatRequest[] = [
      { messages: [user], tools: [{}] } as Chat.ChatRequest,
      { messages: [user], n: 2 } as Chat.ChatRequest,
      { messages: [{ role: "user", content: [{ type: "input_audio" }] }] } as unknown as Chat.ChatRequest,
      { messages: [] },
      { messages: [{ role: "user", content: question }] },
      { messages: [{ role: "assistant", content: "blue" }, user] },
    ];
    const refused: string[] = [];
    for (const request of cases) refused.push(await completions.create(request).then(String, refusal));
    const aborted = await completions.create({ messages: [user] }, { signal: AbortSignal.abort() }).then(String, (error: Error) => error.name);
    const left = [];
    for await (const chunk of await completions.create({ messages: [user], stream: true })) {
      left.push(chunk);
      break;
    }
    const after = await completions.create({ messages: [user] });
    return { json: json.choices[0].message.content, stopped: stopped.choices[0].message.content.trim(), refused, aborted, left: left.length, after: after.choices[0].message.content.trim() };
  }, QUESTION);
  expect(['"red"', '"blue"']).toContain(found.json);
  expect(found).toMatchObject({ stopped: "bl", aborted: "AbortError", left: 1, after: "blue" });
  expect(found.refused).toEqual([
    expect.stringMatching(/^NotSupportedError: "tools"/),
    expect.stringMatching(/^NotSupportedError: "n"/),
    expect.stringMatching(/^NotSupportedError: .*input_audio/),
    expect.stringMatching(/^TypeError: There is no question/),
    expect.stringMatching(/^TypeError: No message shows a picture/),
    expect.stringMatching(/^TypeError: An assistant's message answers no question/),
  ]);
});

test("a LanguageModel keeps a conversation, and its clone goes on with it", async ({ desk }) => {
  const found = await desk.evaluate(async (question) => {
    const { LanguageModel, one } = window.adapters;
    const available = await LanguageModel.availability({ expectedInputs: [{ type: "image" }] });
    const audio = await LanguageModel.availability({ expectedInputs: [{ type: "audio" }] });
    const refused = await LanguageModel.create({ expectedOutputs: [{ type: "image" }] }).then(String, (error: Error) => error.name);
    const loaded: number[] = [];
    const session = await LanguageModel.create({
      monitor: (monitor) => monitor.addEventListener("downloadprogress", (event) => loaded.push((event as ProgressEvent).loaded)),
    });
    await session.append([{ role: "user", content: [{ type: "image", value: window.picture }] }]);
    const first = await session.prompt(question);
    const usage = session.contextUsage;
    const clone = await session.clone();
    const pieces: string[] = [];
    for await (const piece of clone.promptStreaming(question)) pieces.push(piece);
    const form = await clone.prompt(question, { responseConstraint: /[A-Z]{3}/ });
    const stopper = new AbortController();
    stopper.abort();
    const stopped = await session.prompt(question, { signal: stopper.signal }).then(String, (error: Error) => error.name);
    const same = session.contextUsage === usage;
    session.destroy();
    const destroyed = await session.prompt(question).then(String, (error: Error) => error.name);
    const lives = await clone.prompt(question);
    clone.destroy();
    // A Loupe that was given is not closed.
    const other = await LanguageModel.create({ loupe: one, initialPrompts: [{ role: "user", content: [{ type: "image", value: window.picture }] }] });
    const given = await other.prompt(question);
    other.destroy();
    const open = (await one.ask(window.picture, question)).text;
    return { available, audio, refused, loaded, first, usage, grown: clone.contextUsage > usage, pieces: pieces.join(""), form, stopped, same, destroyed, lives, given, open };
  }, QUESTION);
  const { loaded, ...rest } = found;
  expect([loaded[0], loaded.at(-1)]).toEqual([0, 1]);
  expect(loaded.every((now, i) => now >= (loaded[i - 1] ?? 0))).toBe(true);
  expect(rest).toMatchObject({ available: "available", audio: "unavailable", refused: "NotSupportedError", grown: true, stopped: "AbortError", same: true, destroyed: "AbortError" });
  expect(rest.form).toMatch(/^[A-Z]{3}$/);
  expect([rest.first, rest.given, rest.open].map((text) => text.trim())).toEqual(["blue", "blue", "blue"]);
  expect(rest.pieces.trim()).not.toBe("");
  expect(rest.lives.trim()).not.toBe("");
});

test("the AI SDK's model generates and streams", async ({ desk }) => {
  const found = await desk.evaluate(async (question) => {
    const { loupeModel, one } = window.adapters;
    const model = loupeModel(one);
    const bytes = new Uint8Array(await window.picture.arrayBuffer());
    const prompt: AiSdk.AiMessage[] = [
      { role: "user", content: [{ type: "file", mediaType: "image/png", data: { type: "data", data: bytes } }, { type: "text", text: question }] },
    ];
    const generated = await model.doGenerate({ prompt, tools: [{}], presencePenalty: 1 });
    const { stream } = await model.doStream({ prompt });
    const parts: AiSdk.AiStreamPart[] = [];
    const reader = stream.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
    const broken = await model.doStream({ prompt: [] });
    const wrong: string[] = [];
    for (let reader = broken.stream.getReader(), part = await reader.read(); !part.done; part = await reader.read()) wrong.push(part.value.type);
    return { generated, parts, wrong };
  }, QUESTION);
  const { generated, parts, wrong } = found;
  expect(generated).toMatchObject({ finishReason: { unified: "stop", raw: "stop" }, warnings: [{ feature: "presencePenalty" }, { feature: "tools" }] });
  expect(generated.content.map(({ text }) => text.trim())).toEqual(["blue"]);
  const { total, noCache, cacheRead } = generated.usage.inputTokens;
  expect(noCache + cacheRead).toBe(total);
  const types = parts.map(({ type }) => type).filter((type) => type !== "text-delta");
  expect(types).toEqual(["stream-start", "response-metadata", "text-start", "text-end", "finish"]);
  expect(parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("").trim()).toBe("blue");
  expect(wrong).toEqual(["stream-start", "response-metadata", "text-start", "error"]);
});
