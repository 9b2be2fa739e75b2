// What the page's address asks for, so that reloading it, or passing it on, runs the same model in the same way. Never the picture.

import { builtIn, type Artefact, type Detail, type Device, type GpuMask, type LoadOptions } from "loupe-vlm";

/** What the address can hold and the page can change. */
type Setting = "model" | "text" | "vision" | "device" | "detail";

/**
 * `?model=…` a model by name or address, `?text=…&vision=…` by two addresses; `?hub=…` where names are looked up; `?engine=…&threads=…`
 * how to run it, `?device=…` on what, `?gpu=…,…` without which of a GPU's features. Loupe itself says what is wrong with a word that it does not know.
 */
export function wishes(): LoadOptions {
  const { searchParams } = new URL(location.href);
  const [text, vision, hub] = ["text", "vision", "hub"].map((name) => searchParams.get(name) ?? undefined);
  const pair = text || vision ? { text: text ?? builtIn.text, vision: vision ?? builtIn.vision } : undefined;
  const threads = searchParams.get("threads");
  const engine = (searchParams.get("engine") ?? undefined) as Artefact | undefined;
  const device = (searchParams.get("device") ?? undefined) as Device | undefined;
  const gpu = (searchParams.get("gpu") ?? "").split(",").filter((mask) => mask !== "") as GpuMask[];
  return { model: searchParams.get("model") ?? pair, hub, engine, device, gpu, threads: threads === null ? undefined : Number(threads) };
}

/** `?detail=…`: "low", "high", or a number of slices. */
export function detailWished(): Detail | undefined {
  const word = new URL(location.href).searchParams.get("detail");
  if (word === null) return undefined;
  return /^\d+$/.test(word) ? { maxSlices: Number(word) } : (word as Detail);
}

/** Puts a setting into the address, or takes it out. */
export function set(name: Setting, value: string | undefined): void {
  const address = new URL(location.href);
  if (value === undefined) address.searchParams.delete(name);
  else address.searchParams.set(name, value);
  history.replaceState(null, "", address);
}
