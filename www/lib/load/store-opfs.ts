// Keeping in the origin's private file system. Each file has a journal beside it: a line of JSON that says what it is, a line
// for each chunk that lies in it, and at last its SHA-256. A line is written after its chunk has reached the disk, so that
// whenever the browser is killed the journal promises nothing that is not there.

import { BlobReader } from "./bytes.js";
import { countOf, lengthOf, type Head, type ModelRecord, type Shelf, type Store } from "./store.js";

/** All models lie in one folder, each in its own. */
export const FOLDER = "loupe-models";
export const RECORD = "model.json";
/** How often a file that another worker still holds is asked for again: one that was ended lets go a little later. */
const TRIES = 20;
const PAUSE = 100;

/** A file open for writing, which only workers have, and TypeScript's library for pages does not know. */
interface SyncHandle {
  read(into: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

/** What a journal says. */
export interface Journal {
  readonly head: Head | undefined;
  readonly hashes: Map<number, string>;
  readonly sha256: string | undefined;
}

/** Reads a journal; what a kill cut short at its end is left out. */
export function readJournal(text: string): Journal {
  const [first = "", ...lines] = text.split("\n");
  const hashes = new Map<number, string>();
  let sha256: string | undefined;
  let head: Head | undefined;
  try {
    head = JSON.parse(first) as Head;
  } catch {
    return { head: undefined, hashes, sha256 };
  }
  for (const line of lines) {
    const [, index, hash = ""] = /^(\d+|whole) ([0-9a-f]{64})$/.exec(line) ?? [];
    if (index === "whole") sha256 = hash;
    else if (index !== undefined && Number(index) < countOf(head)) hashes.set(Number(index), hash);
  }
  return { head, hashes, sha256: hashes.size === countOf(head) ? sha256 : undefined };
}

export class OpfsStore implements Store {
  readonly where = "files";
  readonly #id: string;
  readonly #folder: FileSystemDirectoryHandle;

  private constructor(id: string, folder: FileSystemDirectoryHandle) {
    this.#id = id;
    this.#folder = folder;
  }

  static async open(id: string): Promise<OpfsStore> {
    if (!("createSyncAccessHandle" in FileSystemFileHandle.prototype)) throw new Error("it has no private files");
    const root = await navigator.storage.getDirectory();
    const all = await root.getDirectoryHandle(FOLDER, { create: true });
    return new OpfsStore(id, await all.getDirectoryHandle(id, { create: true }));
  }

  async record(): Promise<ModelRecord | undefined> {
    const text = await textOf(this.#folder, RECORD);
    return text === "" ? undefined : (JSON.parse(text) as ModelRecord);
  }

  async remember(record: ModelRecord): Promise<void> {
    const handle = await grasp(await this.#folder.getFileHandle(RECORD, { create: true }));
    try {
      handle.truncate(0);
      put(handle, new TextEncoder().encode(JSON.stringify(record)), 0);
      handle.flush();
    } finally {
      handle.close();
    }
  }

  async shelf(file: number): Promise<Shelf> {
    const journal = readJournal(await textOf(this.#folder, `${file}.journal`));
    const data = await this.#folder.getFileHandle(`${file}.gguf`, { create: true });
    const lines = await this.#folder.getFileHandle(`${file}.journal`, { create: true });
    return new OpfsShelf(data, lines, journal);
  }

  async discard(): Promise<void> {
    const root = await navigator.storage.getDirectory();
    const all = await root.getDirectoryHandle(FOLDER, { create: true });
    await all.removeEntry(this.#id, { recursive: true }).catch(() => undefined);
  }
}

class OpfsShelf implements Shelf {
  head: Head | undefined;
  readonly hashes: Map<number, string>;
  sha256: string | undefined;
  readonly #data: FileSystemFileHandle;
  readonly #lines: FileSystemFileHandle;
  /** Held while something is to be written; reading alone needs no hold, and two pages can do it. */
  #held: Promise<[SyncHandle, SyncHandle]> | undefined;
  #buffer = new Uint8Array();
  readonly #reader = new BlobReader();

  constructor(data: FileSystemFileHandle, lines: FileSystemFileHandle, { head, hashes, sha256 }: Journal) {
    this.#data = data;
    this.#lines = lines;
    this.head = head;
    this.hashes = hashes;
    this.sha256 = sha256;
  }

  async begin(head: Head): Promise<void> {
    const [data, lines] = await this.#hold();
    this.head = head;
    this.hashes.clear();
    this.sha256 = undefined;
    lines.truncate(0);
    data.truncate(0);
    put(lines, new TextEncoder().encode(JSON.stringify(head)), 0);
    lines.flush();
  }

  async read(index: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#held) return this.#reader.read(await this.blob(index));
    const [data] = await this.#held;
    const head = this.head as Head;
    if (this.#buffer.length < head.chunk) this.#buffer = new Uint8Array(head.chunk);
    const bytes = this.#buffer.subarray(0, lengthOf(head, index));
    return bytes.subarray(0, data.read(bytes, { at: index * head.chunk }));
  }

  async write(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): Promise<void> {
    const [data, lines] = await this.#hold();
    put(data, bytes, index * (this.head as Head).chunk);
    data.flush();
    this.#line(lines, `${index} ${hash}`);
    this.hashes.set(index, hash);
  }

  async blob(index: number): Promise<Blob> {
    const head = this.head as Head;
    const file = await this.#data.getFile();
    return file.slice(index * head.chunk, index * head.chunk + lengthOf(head, index));
  }

  async finish(sha256: string): Promise<void> {
    if (this.sha256 === sha256) return;
    const [, lines] = await this.#hold();
    this.#line(lines, `whole ${sha256}`);
    this.sha256 = sha256;
  }

  async close(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    for (const handle of (await held) ?? []) handle.close();
  }

  #line(lines: SyncHandle, line: string): void {
    // The break goes before the line: one that a kill cut short then spoils no other.
    put(lines, new TextEncoder().encode(`\n${line}`), lines.getSize());
    lines.flush();
  }

  #hold(): Promise<[SyncHandle, SyncHandle]> {
    return (this.#held ??= Promise.all([grasp(this.#data), grasp(this.#lines)]));
  }
}

/** Opens a file for writing. */
async function grasp(file: FileSystemFileHandle): Promise<SyncHandle> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await (file as FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncHandle> }).createSyncAccessHandle();
    } catch (cause) {
      if (tries === TRIES || !(cause instanceof DOMException && cause.name === "NoModificationAllowedError")) throw cause;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Writes all of it, or says that there is no room: a write may end early without a word, and Chromium's may even deny it. */
function put(handle: SyncHandle, bytes: Uint8Array<ArrayBuffer>, at: number): void {
  if (handle.write(bytes, { at }) < bytes.length || handle.getSize() < at + bytes.length) {
    throw new DOMException("The disk is full.", "QuotaExceededError");
  }
}

/** The text of a file, empty where there is none. */
export async function textOf(folder: FileSystemDirectoryHandle, name: string): Promise<string> {
  try {
    return await (await (await folder.getFileHandle(name)).getFile()).text();
  } catch {
    return "";
  }
}
