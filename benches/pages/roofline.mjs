// What the processor does at most, in workers that share nothing.

import { ask } from "./meter.mjs";

const [MB, TURNS] = [1 << 20, 2_000_000];

/** Name, the exported loop, its arguments, and how much a call does; reads begin with an address. */
const LOOPS = [
  ["dotBytes", "dot_bytes", [TURNS], TURNS * 320],
  ["dotPairs", "dot_pairs", [TURNS], TURNS * 128],
  ["dotWidened", "dot_widened", [TURNS], TURNS * 128],
  ["fused", "fused", [TURNS], TURNS * 80],
  ["mulAdd", "mul_add", [TURNS], TURNS * 64],
  ...[1, 16, 512].map((size) => [`read${size}`, "read", [size * MB], size * MB]),
];

/** Operations or bytes a second, all workers together. */
export async function run({ threads, seconds }) {
  const module = await WebAssembly.compileStreaming(fetch("/built/roofline.wasm"));
  const workers = Array.from({ length: threads }, () => ask(new Worker("./roofline-worker.mjs", { type: "module" })));
  await Promise.all(workers.map((call) => call("open", module)));
  const samples = {};
  for (const [name, loop, parameters, work] of LOOPS) {
    // Once for the compiler and for the pages to be there.
    await Promise.all(workers.map((call) => call("repeat", loop, parameters, 0.1)));
    const results = await Promise.all(workers.map((call) => call("repeat", loop, parameters, seconds)));
    samples[name] = results.reduce((sum, { calls, seconds }) => sum + (calls * work) / seconds, 0);
  }
  return { samples };
}
