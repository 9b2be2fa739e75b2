// Numbers in words.

import type { DeviceInfo, EngineChoice, EngineInfo, Layout, Loupe, ModelInfo, Progress } from "loupe-vlm";

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

/** Bytes as a person reads them: "1.1 GB", "24 MB", "3.2 MB". */
export function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e7 ? `${Math.round(bytes / 1e6)} MB` : `${megabytes(bytes)} MB`;
}

/** "Fetching the model, 24.0 of 173.2 MB, 11 MB a second". */
export function fetchedInWords({ loaded, total, rate }: Progress): string {
  const of = total > 0 ? ` of ${megabytes(total)}` : "";
  const speed = rate > 0 && loaded < total ? `, ${size(rate)} a second` : "";
  return `Fetching the model, ${megabytes(loaded)}${of} MB${speed}`;
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

/** "Kept in this browser: it opens without a network"; empty where there is nothing to say. */
export function keptInWords({ where, why }: Loupe["kept"]): string {
  if (where === "files" || where === "cache") return "Kept in this browser: it opens without a network";
  return where === "memory" && why !== "" && !why.startsWith("it was asked") ? `Not kept in this browser: ${why}` : "";
}

/** "Engine relaxed-mt on 2 threads: this machine has 2 cores". */
export function engineInWords({ artefact, threads, why }: EngineChoice): string {
  return `Engine ${artefact} on ${count(threads, "thread")}: ${why.join("; ")}`;
}

/** "on the GPU nvidia ampere", "on the processor, 2 threads". */
export function runsInWords({ threads, device }: EngineInfo): string {
  return device.kind === "gpu" ? `on the GPU ${device.adapter}` : `on the processor, ${count(threads, "thread")}`;
}

/** "On the GPU nvidia ampere, kernels f16, subgroups of 32", "On the processor: this browser offers no GPU". */
export function deviceInWords({ kind, adapter, kernels, why }: DeviceInfo): string {
  const what = kind === "gpu" ? `On the GPU ${adapter}, kernels ${kernels}` : "On the processor";
  return why.length > 0 ? `${what}: ${why.join("; ")}` : what;
}
