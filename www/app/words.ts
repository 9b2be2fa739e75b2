// Numbers in words.

import type { EngineInfo, Layout, ModelInfo } from "loupe-vlm";

/** "84 tokens", "1 token". */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** Milliseconds as a person reads them: "8 ms", "340 ms", "1.2 s". */
export function duration(ms: number): string {
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Bytes in megabytes: "3.2". */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** "640 × 480, cut into 2 × 2 slices and an overview, 84 tokens". */
export function layoutInWords({ width, height, columns, rows, tokens }: Layout): string {
  const cut = columns * rows > 0 ? `cut into ${columns} × ${rows} slices and an overview` : "seen whole";
  return `${width.toLocaleString("en")} × ${height.toLocaleString("en")}, ${cut}, ${count(tokens, "token")}`;
}

/** "Loupe base: 6.2 million weights in 6.5 MB, 1,024 tokens of memory, hash 9526c2ececc7c7a0". */
export function modelInWords({ name, parameters, bytes, context, hash }: ModelInfo): string {
  const millions = (parameters / 1e6).toFixed(1);
  return `${name}: ${millions} million weights in ${megabytes(bytes)} MB, ${count(context, "token")} of memory, hash ${hash}`;
}

/** "Engine relaxed-mt on 2 threads: this machine has 2 cores". */
export function engineInWords({ artefact, threads, why }: EngineInfo): string {
  return `Engine ${artefact} on ${count(threads, "thread")}: ${why.join("; ")}`;
}
