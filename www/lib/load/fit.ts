// Whether a model has room on this machine, said before its weights are fetched.

import type { Needs } from "../protocol.gen.js";

/** What a model needs, and whether that is there. */
export interface Fit extends Needs {
  /** Bytes of memory in all. */
  readonly total: number;
  /** Bytes to fetch. */
  readonly download: number;
  /** Whether there is room. `tight`: it may be, but the machine has hardly more. */
  readonly fits: "yes" | "tight" | "no";
  /** The same in one sentence. */
  readonly sentence: string;
}

/** What WebAssembly with 32-bit addresses can hold. */
const ADDRESSABLE = 2 ** 32;

/** What the machine says of its memory, in bytes; browsers round it, and name less than there is. */
function machine(): number | undefined {
  const { deviceMemory } = navigator as Navigator & { readonly deviceMemory?: number };
  return deviceMemory === undefined ? undefined : deviceMemory * 2 ** 30;
}

/** Compares what is needed with what there is. `download` is what is not here yet. */
export function fit(needs: Needs, download: number): Fit {
  const total = needs.weights + needs.cache + needs.working;
  const memory = machine();
  const cost =
    `The model needs ${size(total)} of memory: ${size(needs.weights)} for its weights, ${size(needs.cache)} for a conversation ` +
    `of ${needs.context.toLocaleString("en")} tokens, ${size(needs.working)} to work in`;
  const least = Math.min(ADDRESSABLE, memory ?? Infinity);
  const whose = least === ADDRESSABLE ? "a page can have at most" : "this machine has about";
  const fits = total > least ? "no" : memory !== undefined && total > memory / 2 ? "tight" : "yes";
  const verdict = {
    yes: `${whose} ${size(least)}, so it fits`,
    tight: `${whose} ${size(least)}, so it may fit if little else is open`,
    no: `${whose} ${size(least)}, so it does not fit; choose a smaller one, or one with fewer bits to a weight`,
  }[fits];
  return { ...needs, total, download, fits, sentence: `${cost}; ${verdict}.` };
}

/** "1.1 GB", "24 MB". */
export function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
