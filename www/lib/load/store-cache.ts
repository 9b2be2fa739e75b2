// Keeping in the Cache API, for browsers that have it and no private files. A chunk is an answer to an address that no
// network has; its hash is part of the address, so that what is there can be told without reading it.

import { BlobReader } from "./bytes.js";
import { countOf, type Head, type ModelRecord, type Shelf, type Store } from "./store.js";

/** The cache of all models. */
export const CACHE = "loupe-models";
export const ROOT = "https://loupe.invalid/";

/** What is kept of a file besides its chunks. */
interface Top {
  readonly head: Head;
  readonly sha256?: string;
}

export class CacheStore implements Store {
  readonly where = "cache";
  readonly #root: string;
  readonly #cache: Cache;

  private constructor(id: string, cache: Cache) {
    this.#root = `${ROOT}${id}/`;
    this.#cache = cache;
  }

  static async open(id: string): Promise<CacheStore> {
    if (!("caches" in globalThis)) throw new Error("it has no cache");
    return new CacheStore(id, await caches.open(CACHE));
  }

  async record(): Promise<ModelRecord | undefined> {
    return (await this.#cache.match(`${this.#root}model`))?.json();
  }

  async remember(record: ModelRecord): Promise<void> {
    await this.#cache.put(`${this.#root}model`, Response.json(record));
  }

  async shelf(file: number): Promise<Shelf> {
    return CacheShelf.open(this.#cache, `${this.#root}${file}/`);
  }

  async discard(): Promise<void> {
    await forget(this.#cache, this.#root);
  }
}

class CacheShelf implements Shelf {
  head: Head | undefined;
  readonly hashes = new Map<number, string>();
  sha256: string | undefined;
  readonly #cache: Cache;
  readonly #root: string;
  readonly #reader = new BlobReader();

  private constructor(cache: Cache, root: string) {
    this.#cache = cache;
    this.#root = root;
  }

  static async open(cache: Cache, root: string): Promise<CacheShelf> {
    const shelf = new CacheShelf(cache, root);
    const top = (await (await cache.match(`${root}head`))?.json()) as Top | undefined;
    if (!top) return shelf;
    for (const { url } of await cache.keys()) {
      const [, index, hash = ""] = url.startsWith(root) ? (/\/(\d+)\?([0-9a-f]{64})$/.exec(url) ?? []) : [];
      if (index !== undefined && Number(index) < countOf(top.head)) shelf.hashes.set(Number(index), hash);
    }
    shelf.head = top.head;
    if (shelf.hashes.size === countOf(top.head)) shelf.sha256 = top.sha256;
    return shelf;
  }

  async begin(head: Head): Promise<void> {
    await forget(this.#cache, this.#root);
    this.hashes.clear();
    [this.head, this.sha256] = [head, undefined];
    await this.#cache.put(`${this.#root}head`, Response.json({ head } satisfies Top));
  }

  async read(index: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.read(await this.blob(index));
  }

  async write(index: number, bytes: Uint8Array<ArrayBuffer>, hash: string): Promise<void> {
    await this.#cache.put(`${this.#root}${index}?${hash}`, new Response(bytes));
    this.hashes.set(index, hash);
  }

  async blob(index: number): Promise<Blob> {
    const kept = await this.#cache.match(`${this.#root}${index}?${this.hashes.get(index)}`);
    return (await kept?.blob()) ?? new Blob();
  }

  async finish(sha256: string): Promise<void> {
    await this.#cache.put(`${this.#root}head`, Response.json({ head: this.head as Head, sha256 } satisfies Top));
    this.sha256 = sha256;
  }

  async close(): Promise<void> {}
}

async function forget(cache: Cache, root: string): Promise<void> {
  for (const request of await cache.keys()) if (request.url.startsWith(root)) await cache.delete(request);
}
