// The columns that tell memory, the same in every table.

import { digits } from "./statistics.mjs";

const MIB = 2 ** 20;

export const PRIVATE = `Private bytes of the renderer process, less those of an empty page's; “whole browser” is all processes, less the same. “While
loading” is what loading held for a moment beside what it kept. The caches of the conversation (KV) are told apart, where the engine is
Loupe. The browser's own count (\`measureUserAgentSpecificMemory\`, isolated pages alone) is made when all is done.`;

export const MEMORY = [
  "files",
  "KV",
  "loaded",
  "more while loading",
  "peak",
  "peak less KV ÷ files",
  "whole browser, peak",
  "browser's own count",
  "own count less KV ÷ files",
];

/** The cells of a line. */
export function memoryOf(line, samples) {
  const mib = (pick, less = 0) => (line.number(pick) - less) / MIB;
  const [files, cache] = [mib(({ files }) => files), mib(({ cache }) => cache)];
  const loaded = mib(({ memory }) => memory.loaded.now, samples.empty);
  const loading = mib(({ memory }) => memory.loaded.peak - memory.loaded.now);
  const peak = mib(({ memory }) => memory.peak, samples.empty);
  const whole = mib(({ memory }) => memory.browserPeak, samples.emptyBrowser);
  const own = mib(({ memory }) => memory.counted);
  const share = (bytes) => (bytes - (Number.isFinite(cache) ? cache : 0)) / files;
  return [files, cache, loaded, loading, peak, share(peak), whole, own, share(own)].map(digits);
}
