// wllama through its own interface. Prompt and answer are timed by the server inside it; the encoding of a picture is told
// only in its log, line by line.

import { Wllama } from "/rivals/@wllama/wllama/esm/index.js";
import { cost, picture, timed, words } from "./meter.mjs";

const ENCODED = /decoding image batch/;
const READ = /image decoded/;

/**
 * `views` are what a picture of `side` becomes: for Idefics3 an overview and one tile of the same size or more, each encoded and
 * then read. The second is told, or the only one; of the others none is waited for.
 */
export async function run({ threads, vision, text, side = 512, views = 2, prompts, decode }) {
  const marks = [];
  const told = Math.min(views, 2);
  const enough = Promise.withResolvers();
  const log = (...parts) => {
    const line = parts.join(" ");
    if (ENCODED.test(line) || READ.test(line)) marks.push({ line, at: performance.now(), cpu: hostCpu() });
    if (marks.filter(({ line }) => ENCODED.test(line)).length === told && views > told) enough.resolve();
  };
  const logger = { debug: log, log, warn: log, error: log };
  const wllama = new Wllama({ default: "/rivals/@wllama/wllama/esm/wasm/wllama.wasm" }, { logger });
  const blob = async (file) => (await fetch(file)).blob();
  // No layer on a GPU: this is about the processor.
  const settings = { n_ctx: 2048, n_gpu_layers: 0, n_threads: threads, n_parallel: 1, log_level: 2 };
  const load = await timed(async () => wllama.loadModel([await blob(text), await blob(vision)], settings));
  const memory = { loaded: await hostMemory() };
  if (wllama.isMultithread() !== threads > 1) throw new Error(`wllama does not run with ${threads} threads`);
  const samples = { load: cost(load) };
  const greedy = { temperature: 0, ignore_eos: true, cache_prompt: false };

  const say = async (request, begin) => {
    const begun = await hostCpu();
    let [read, timings] = [undefined, undefined];
    for await (const chunk of await begin({ ...request, ...greedy, stream: true })) {
      read ??= hostCpu();
      timings = chunk.timings ?? timings;
    }
    const [ended, between] = [await hostCpu(), await read];
    return {
      prefill: { tokens: timings.prompt_n, seconds: timings.prompt_ms / 1e3, cpu: between - begun },
      rest: { tokens: timings.predicted_n - 1, seconds: timings.predicted_ms / 1e3, cpu: ended - between },
    };
  };
  const complete = (prompt, tokens) => say({ prompt, max_tokens: tokens }, (request) => wllama.createCompletion(request));

  await complete(words(24), 8);
  for (const [index, tokens] of prompts.entries()) {
    const { prefill, rest } = await complete(words(tokens), index === 0 ? 1 + decode : 1);
    samples[`prefill${tokens}`] = prefill;
    if (index === 0) samples.decode = rest;
  }

  const data = await (await picture(side, side)).arrayBuffer();
  const content = [
    { type: "image", data },
    { type: "text", text: words(4) },
  ];
  const [cpu, start] = [await hostCpu(), performance.now()];
  const answer = say({ messages: [{ role: "user", content }], max_tokens: 1 }, (request) => wllama.createChatCompletion(request));
  await Promise.race([answer, enough.promise]);
  let last = { seconds: 0, cpu: 0 };
  const encodings = [];
  for (const mark of marks) {
    const here = { seconds: (mark.at - start) / 1e3, cpu: (await mark.cpu) - cpu };
    if (ENCODED.test(mark.line)) encodings.push({ seconds: here.seconds - last.seconds, cpu: here.cpu - last.cpu });
    last = here;
  }
  if (encodings.length !== told) throw new Error(`wllama encoded ${encodings.length} views, not ${told}`);
  [samples.encodeFirst, samples.encode = samples.encodeFirst] = encodings;
  return { samples, memory };
}
