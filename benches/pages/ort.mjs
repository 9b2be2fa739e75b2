// ONNX Runtime Web in a worker, as a page with transformers.js would have it.

import { ask, cost, ids, timed } from "./meter.mjs";

export async function run({ threads, vision, text, prompts, decode }) {
  const worker = new Worker("./ort-worker.mjs", { type: "module" });
  const call = ask(worker);
  const load = await timed(() => call("load", threads, vision, text));
  const memory = { loaded: await hostMemory() };
  const samples = { load: cost(load), encodeFirst: cost(await timed(() => call("encode"))) };
  samples.encode = cost(await timed(() => call("encode")));
  await call("prefill", ids(24));
  await call("decode", 4);
  for (const [index, tokens] of prompts.entries()) {
    samples[`prefill${tokens}`] = { tokens, ...cost(await timed(() => call("prefill", ids(tokens)))) };
    if (index === 0) samples.decode = { tokens: decode, ...cost(await timed(() => call("decode", decode))) };
  }
  return { samples, memory };
}
