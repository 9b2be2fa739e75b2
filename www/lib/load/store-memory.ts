// Keeping nothing beyond the page. Blobs, not arrays: browsers move large ones out of memory.

import type { Head, ModelRecord, Shelf, Store } from "./store.js";

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
  readonly #chunks = new Map<number, Blob>();

  async begin(head: Head): Promise<void> {
    this.head = head;
    this.hashes.clear();
    this.#chunks.clear();
    this.sha256 = undefined;
  }

  async read(index: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await this.blob(index)).arrayBuffer());
  }

  async write(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): Promise<void> {
    this.put(index, new Blob([bytes]), hash);
  }

  put(index: number, blob: Blob, hash: string): void {
    this.#chunks.set(index, blob);
    this.hashes.set(index, hash);
  }

  async blob(index: number): Promise<Blob> {
    return this.#chunks.get(index) ?? new Blob();
  }

  async finish(sha256: string): Promise<void> {
    this.sha256 = sha256;
  }

  async close(): Promise<void> {}
}
