// Where fetched files are kept, chunk by chunk, so that a download goes on where it broke off and a model is there without
// a network: the origin's private file system, else the Cache API, else memory.

import type { Remote } from "../protocol.gen.js";
import { CacheStore } from "./store-cache.js";
import { MemoryShelf, MemoryStore } from "./store-memory.js";
import { OpfsStore } from "./store-opfs.js";

/** What keeps a model: `files` and `cache` outlive the page, `memory` does not. */
export type Where = "files" | "cache" | "memory";

/** What a kept file is of; another head means that it is another file. */
export interface Head {
  readonly url: string;
  readonly size: number;
  /** Bytes of a chunk. */
  readonly chunk: number;
  /** What the server called this version. */
  readonly validator?: string | undefined;
  /** The SHA-256 that was promised. */
  readonly sha256?: string | undefined;
}

/** One file, or what has come of it. */
export interface Shelf {
  readonly head: Head | undefined;
  /** SHA-256 of each chunk that is there; empty where it need not be compared. */
  readonly hashes: ReadonlyMap<number, string>;
  /** SHA-256 of the whole, once all of it had come and was opened. */
  readonly sha256: string | undefined;
  /** Throws away what is there and makes room for this file. */
  begin(head: Head): Promise<void>;
  /** A chunk that is there. The bytes are overwritten by the next that is read. */
  read(index: number): Promise<Uint8Array<ArrayBuffer>>;
  write(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): Promise<void>;
  /** Resolves when there is room for more behind chunk `index`; always, where this is missing. */
  room?(index: number): Promise<void>;
  /** The same chunk as a handle to it; nothing where it is not held. */
  blob(index: number): Promise<Blob | undefined>;
  /** Says that all is there and what its hash is. */
  finish(sha256: string): Promise<void>;
  /** Lets go of what only one page at a time can hold. */
  close(): Promise<void>;
}

/** What is remembered of a model besides its bytes. */
export interface ModelRecord {
  /** What `Loupe.load` opens it by again. */
  readonly source: string;
  readonly name: string;
  readonly files: readonly Remote[];
  /** When it was first asked for, in milliseconds since 1970. */
  readonly added: number;
}

/** One model's place. */
export interface Store {
  readonly where: Where;
  record(): Promise<ModelRecord | undefined>;
  remember(record: ModelRecord): Promise<void>;
  shelf(file: number): Promise<Shelf>;
  /** Gives the place back. */
  discard(): Promise<void>;
}

/** Whether this is the browser saying that there is no more room. */
export function isFull(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === "QuotaExceededError";
}

/** The bytes of chunk `index`. */
export function lengthOf({ size, chunk }: Head, index: number): number {
  return Math.min(chunk, size - index * chunk);
}

/** How many chunks there are. */
export function countOf({ size, chunk }: Head): number {
  return Math.ceil(size / chunk);
}

/** The best place there is for model `id`, and why it is none that lasts. */
export async function openStore(id: string | undefined): Promise<{ store: Store; why: string }> {
  if (id === undefined) return { store: new MemoryStore(), why: "it was asked not to be kept" };
  let why = "this page was not served securely";
  for (const open of [OpfsStore.open, CacheStore.open]) {
    try {
      return { store: await open(id), why: "" };
    } catch (cause) {
      why = `this browser gives no room here (${cause instanceof Error ? cause.message : String(cause)})`;
    }
  }
  return { store: new MemoryStore(), why };
}

/** From now on what comes goes to memory, and what is there stays where it is: for when there is no more room. */
export async function spill(shelf: Shelf): Promise<Shelf> {
  const over = new MemoryShelf();
  await shelf.close();
  if (shelf.head) await over.begin(shelf.head);
  for (const [index, hash] of shelf.hashes) over.put(index, (await shelf.blob(index)) ?? new Blob(), hash);
  return over;
}
