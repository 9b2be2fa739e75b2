// From what names a model to its two files.

import { LoupeError } from "../error.js";
import type { ErrorKind, Manifest, Remote } from "../protocol.gen.js";
import { TERMS, unreachable } from "./ranges.js";
import type { Store } from "./store.js";
import { nameOf, type Wanted } from "./wanted.js";

/** What the engine knows of names and manifests: the same code as the command line's. */
export interface Names {
  hubListing(id: string, hub: string): string | undefined;
  hubChoose(id: string, listing: string, hub: string): string;
  readManifest(json: string, base: string): string;
}

/** The model's files: asked for, or, where nobody can or may be asked, those that it had when it was kept. */
export async function resolve(wanted: Wanted, names: Names, store: Store, offline: boolean): Promise<readonly Remote[]> {
  const kept = await store.record();
  if (offline && kept) return kept.files;
  try {
    const { name, files } = await ask(wanted, names);
    const source = nameOf(wanted) ?? "";
    await store.remember({ source, name: name ?? stem(files), files, added: kept?.added ?? Date.now() });
    return files;
  } catch (cause) {
    if (kept && cause instanceof LoupeError && cause.kind === "network") return kept.files;
    throw cause;
  }
}

/** What to call a model that has no name: its language model's file, without the ending. */
function stem(files: readonly Remote[]): string {
  const names = files.map(({ url }) => decodeURIComponent(new URL(url).pathname.split("/").pop() ?? "").replace(/\.gguf$/i, ""));
  return names.find((name) => name !== "" && !name.includes("mmproj")) ?? names[0] ?? "";
}

async function ask(wanted: Wanted, names: Names): Promise<Manifest> {
  switch (wanted.kind) {
    case "manifest":
      return checked(() => names.readManifest(JSON.stringify(wanted.manifest), self.location.href));
    case "address": {
      const text = await textAt(wanted.url, "The model's manifest");
      return checked(() => names.readManifest(text, wanted.url));
    }
    case "hub": {
      const { id, hub } = wanted;
      const listing = await textAt(names.hubListing(id, hub) ?? hub, `What the hub says of ${id}`);
      return checked(() => names.hubChoose(id, listing, hub));
    }
    default:
      throw new LoupeError("internal", "Files that were given need not be looked for; report this.");
  }
}

async function textAt(url: string, what: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TERMS.patience), cache: "no-cache" });
    if (response.ok) return await response.text();
  } catch (cause) {
    throw unreachable(what, url, new Error(String(cause), { cause }));
  }
  const why = response.status === 404 || response.status === 401 ? "there is no such thing, or not for everybody" : "the server refuses";
  throw new LoupeError("network", `${what} could not be fetched from ${new URL(url).host}: ${why} (status ${response.status}).`);
}

/** The engine throws JSON of a kind and a sentence. */
function checked(read: () => string): Manifest {
  try {
    return JSON.parse(read()) as Manifest;
  } catch (cause) {
    if (typeof cause !== "string") throw cause;
    const { kind, message } = JSON.parse(cause) as { kind: ErrorKind; message: string };
    throw new LoupeError(kind, message);
  }
}
