// Keeping nothing beyond the page. A small file is held, for an engine that must be started again. A large one would lie in
// memory twice: its chunks are there until they are read, and who fetches them waits for the reader.

import { BlobReader, free } from "./bytes.js";
import type { Head, ModelRecord, Shelf, Store } from "./store.js";

/** Bytes of a file that is held at most. */
const HELD = 32 << 20;
/** How many chunks may wait for their reader. */
const AHEAD = 4;

export class MemoryStore implements Store {
  readonly where = "memory";
  #record: ModelRecord | undefined;

  async record(): Promise<ModelRecord | undefined> {
    return this.#record;
  }

  async remember(record: ModelRecord): Promise<void> {
    this.#record = record;
  }

  async shelf(): Promise<Shelf> {
    return new MemoryShelf();
  }

  async discard(): Promise<void> {}
}

export class MemoryShelf implements Shelf {
  head: Head | undefined;
  readonly hashes = new Map<number, string>();
  sha256: string | undefined;
  /** Of a file that is held; or of one that was being kept elsewhere, as handles to there. */
  readonly #held = new Map<number, Blob>();
  /** Chunks that wait for the reader, each freed when it wants the next. */
  readonly #waiting = new Map<number, Uint8Array<ArrayBuffer>>();
  #last = new Uint8Array();
  readonly #reader = new BlobReader();
  /** The chunk that is read next: they are read in order. */
  #next = 0;
  /** Whoever waits for the reader. */
  readonly #blocked: (() => void)[] = [];

  get #holds(): boolean {
    const size = this.head?.size ?? 0;
    return size > 0 && size <= HELD;
  }

  async begin(head: Head): Promise<void> {
    this.head = head;
    this.hashes.clear();
    this.#held.clear();
    this.#waiting.clear();
    this.sha256 = undefined;
    this.#next = 0;
  }

  async read(index: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#next = index + 1;
    for (const go of this.#blocked.splice(0)) go();
    const waiting = this.#waiting.get(index);
    if (!waiting) return this.#reader.read(this.#held.get(index) ?? new Blob());
    this.#waiting.delete(index);
    free(this.#last);
    return (this.#last = waiting);
  }

  async write(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#holds) return this.put(index, new Blob([bytes]), "");
    this.#waiting.set(index, bytes.slice());
    this.hashes.set(index, "");
  }

  put(index: number, blob: Blob, hash: string): void {
    this.#held.set(index, blob);
    this.hashes.set(index, hash);
  }

  async room(index: number): Promise<void> {
    while (!this.#holds && index >= this.#next + AHEAD) await new Promise<void>((go) => this.#blocked.push(go));
  }

  async blob(index: number): Promise<Blob | undefined> {
    return this.#held.get(index);
  }

  async finish(sha256: string): Promise<void> {
    this.sha256 = sha256;
  }

  async close(): Promise<void> {
    free(this.#last);
  }
}
