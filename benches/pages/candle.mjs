// candle in a worker: its decoder alone, one thread, which is all it has in a browser.

import { ask, cost, ids, timed } from "./meter.mjs";

export async function run({ text, prompts, decode }) {
  const call = ask(new Worker("./candle-worker.mjs", { type: "module" }));
  const load = await timed(() => call("load", text));
  const memory = { loaded: await hostMemory() };
  const samples = { load: cost(load) };
  await call("prefill", ids(24));
  await call("decode", 4);
  for (const [index, tokens] of prompts.entries()) {
    samples[`prefill${tokens}`] = { tokens, ...cost(await timed(() => call("prefill", ids(tokens)))) };
    if (index === 0) samples.decode = { tokens: decode, ...cost(await timed(() => call("decode", decode))) };
  }
  return { samples, memory };
}
