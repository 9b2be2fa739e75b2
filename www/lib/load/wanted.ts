// What a model may be named by, made into plain data with whole addresses.

import { LoupeError } from "../error.js";
import type { Manifest } from "../protocol.gen.js";
import { sha256 } from "./hash.js";

/** A model is two GGUF files: the language model and its eyes. */
export interface ModelFiles {
  readonly text: string | URL | Blob;
  readonly vision: string | URL | Blob;
}

/**
 * What names a model: `owner/repo[:quant]` on the hub, the address of a manifest, two addresses with a space between, a manifest,
 * two files by address or as Blobs, or files from a folder of which two are GGUF.
 */
export type ModelSource = string | URL | ModelFiles | Manifest | readonly Blob[];

/** The hub that is asked unless another is named. */
export const HUB = "https://huggingface.co";

/** A model as the worker is asked for it. */
export type Wanted =
  | { readonly kind: "blobs"; readonly blobs: readonly Blob[] }
  | { readonly kind: "mixed"; readonly files: readonly (string | Blob)[] }
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "address"; readonly url: string }
  | { readonly kind: "hub"; readonly id: string; readonly hub: string };

const HUB_ID = /^[\w.-]+\/[\w.-]+(:[\w.-]+)?$/;

/** Reads a source; addresses are relative to the page. */
export function want(source: ModelSource, hub = HUB): Wanted {
  if (source instanceof URL) return address(source.href);
  if (typeof source === "string") return named(source.trim(), hub);
  if ("text" in source) return files([source.text, source.vision]);
  if ("files" in source) {
    const remotes = source.files.map((file) => ({ ...file, url: whole(file.url) }));
    return { kind: "manifest", manifest: { ...source, files: remotes } };
  }
  const blobs = source.filter((blob) => !(blob instanceof File) || /\.gguf$/i.test(blob.name));
  if (blobs.length === 2) return { kind: "blobs", blobs };
  throw new LoupeError("usage", `A model is two GGUF files, the language model and its mmproj file; these are ${blobs.length}.`);
}

/** What `want` reads the same model from again; undefined where its bytes were given and not named. */
export function nameOf(wanted: Wanted): string | undefined {
  switch (wanted.kind) {
    case "hub":
      return wanted.hub === HUB ? wanted.id : `${wanted.hub}/${wanted.id}`;
    case "address":
      return wanted.url;
    case "manifest":
      return wanted.manifest.files.map(({ url }) => url).join(" ");
    default:
      return undefined;
  }
}

/** Under which id a model of this name is kept; undefined on pages that are not served securely. */
export async function idOf(name: string): Promise<string | undefined> {
  return (await sha256(name))?.slice(0, 16);
}

/** What a page holds among all of its site's while it fetches the model of this id. */
export function lockOf(id: string): string {
  return `loupe-model-${id}`;
}

function named(text: string, hub: string): Wanted {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  if (words.length === 2) return files(words);
  if (words.length !== 1) throw new LoupeError("usage", `"${text}" names no model; give owner/repo, the address of a manifest, or two addresses.`);
  if (HUB_ID.test(text) && !text.endsWith(".json")) return { kind: "hub", id: text, hub: hub.replace(/\/+$/, "") };
  return address(whole(text));
}

function address(url: string): Wanted {
  if (!/\.gguf$/i.test(new URL(url).pathname)) return { kind: "address", url };
  throw new LoupeError("usage", "A model is two GGUF files, the language model and its mmproj file; give the addresses of both.");
}

function files(two: readonly (string | URL | Blob)[]): Wanted {
  const parts = two.map((file) => (file instanceof Blob ? file : whole(file)));
  if (parts.every((part) => part instanceof Blob)) return { kind: "blobs", blobs: parts };
  if (parts.some((part) => part instanceof Blob)) return { kind: "mixed", files: parts };
  return { kind: "manifest", manifest: { version: 1, files: parts.map((url) => ({ url: String(url) })) } };
}

function whole(url: string | URL): string {
  try {
    return new URL(url, document.baseURI).href;
  } catch (cause) {
    throw new LoupeError("usage", `"${url}" is no address of a model.`, { cause });
  }
}
