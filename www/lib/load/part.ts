// One of a model's two files, as the engine is fed with it: chunk after chunk, each there when it is asked for.

import { LoupeError } from "../error.js";
import type { Remote } from "../protocol.gen.js";
import { BlobReader } from "./bytes.js";
import { sha256 } from "./hash.js";
import { CHUNK, RemoteFile, type Chunk } from "./ranges.js";
import { isFull, spill, type Head, type Shelf } from "./store.js";
import { MemoryShelf } from "./store-memory.js";

/** How long a server may take to say that a kept file is still the same, in milliseconds. */
const PATIENCE = 5000;
/** The most chunks that one request is for, and into how many requests the missing ones are parted otherwise. */
const SPAN = 16;
const SPANS = 8;

export interface Part {
  /** Bytes; 0 while nobody knows. */
  readonly size: number;
  /** Bytes that need not be fetched. */
  readonly there: number;
  /** The chunk, fetched first where it must be; undefined past the end. Its bytes may be overwritten by the next. */
  take(index: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** What has to be fetched still, as pieces of work that may run side by side. */
  missing(): (() => Promise<void>)[];
  /** All bytes have been opened, and this is their hash: the file as something that another worker can read, if it is held. */
  finish(sha256: string): Promise<Blob | undefined>;
}

/** A file that the person gave. */
export class GivenPart implements Part {
  readonly size: number;
  readonly there: number;
  readonly #blob: Blob;
  readonly #reader = new BlobReader();

  constructor(blob: Blob) {
    this.#blob = blob;
    this.size = this.there = blob.size;
  }

  async take(index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (index * CHUNK >= Math.max(this.size, 1)) return undefined;
    try {
      return await this.#reader.read(this.#blob.slice(index * CHUNK, (index + 1) * CHUNK));
    } catch (cause) {
      throw new LoupeError("storage", "A model file could not be read any more: it was changed, moved or deleted; choose it again.", { cause });
    }
  }

  missing(): [] {
    return [];
  }

  async finish(): Promise<Blob> {
    return this.#blob;
  }
}

/** A file that is fetched to a shelf, or lies there. */
export class FetchedPart implements Part {
  there = 0;
  readonly #remote: Remote;
  readonly #file: RemoteFile;
  #shelf: Shelf;
  /** Whoever waits for chunks that others fetch. */
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  /** The whole file in order, where the server gives no parts. */
  #whole: AsyncGenerator<Chunk> | undefined;
  #fetchingAll = false;
  #offline = false;
  readonly #spilled: (why: string) => void;

  /** `came` hears of bytes as they arrive, `spilled` of the moment when there is no more room to keep them. */
  constructor(remote: Remote, shelf: Shelf, signal: AbortSignal, came: (bytes: number) => void, spilled: (why: string) => void) {
    this.#remote = remote;
    this.#shelf = shelf;
    this.#spilled = spilled;
    this.#file = new RemoteFile(remote, signal, came);
  }

  get size(): number {
    return this.#file.size;
  }

  /** Finds out what there is, here and on the server, and begins anew where the two do not go together. */
  async begin(offline: boolean): Promise<void> {
    const { head, hashes, sha256: whole } = this.#shelf;
    this.#offline = offline;
    if (head && whole !== undefined && (await this.#isGood(head, whole, offline))) {
      this.#file.size = this.there = head.size;
      return;
    }
    if (offline) {
      throw new LoupeError("network", `The model file ${this.#file.name} is not kept here, and the network was not to be asked; load it with a connection first.`);
    }
    let first = 0;
    while (hashes.has(first)) first += 1;
    await this.#file.begin(first);
    const { size, chunk, validator } = this.#file;
    const now: Head = { url: this.#remote.url, size, chunk, validator, sha256: this.#remote.sha256?.toLowerCase() };
    if (head && size > 0 && goOn(head, now)) {
      for (const index of hashes.keys()) this.there += Math.min(chunk, size - index * chunk);
    } else {
      // Of a file whose size nobody tells, nobody can tell either whether it is whole.
      if (size === 0) {
        this.#shelf = new MemoryShelf();
        this.#spilled("its server does not say how large it is");
      }
      await this.#safely(() => this.#shelf.begin(now));
    }
  }

  async take(index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!(await this.#ensure(index))) return undefined;
    const kept = this.#shelf.hashes.get(index);
    const bytes = await this.#shelf.read(index);
    if (kept === "" || (await sha256(bytes)) === kept) return bytes;
    // The disk lost it: it is fetched once more, unless the file is another by now.
    if (!this.#offline) await this.#fetch(index, index + 1);
    if (!this.#offline && this.#shelf.hashes.get(index) === kept) {
      const mended = await this.#shelf.read(index);
      if ((await sha256(mended)) === kept) return mended;
    }
    await this.#shelf.begin(this.#shelf.head as Head);
    throw new LoupeError("damaged", `What was kept of ${this.#file.name} was damaged on this machine's disk; load the model again to fetch it anew.`);
  }

  missing(): (() => Promise<void>)[] {
    this.#fetchingAll = true;
    const { chunk, ranged, size } = this.#file;
    const have = this.#shelf.hashes;
    const count = Math.ceil(size / chunk);
    const span = Math.min(SPAN, Math.ceil((count - have.size) / SPANS));
    if (have.size === count && size > 0) return [];
    if (!ranged) return [() => this.#guarded(async () => void (await this.#advance(Infinity)))];
    const spans: (() => Promise<void>)[] = [];
    for (let first = 0; first < count; first += 1) {
      if (have.has(first)) continue;
      let end = first + 1;
      while (end < count && end - first < span && !have.has(end)) end += 1;
      const from = first;
      spans.push(() => this.#guarded(() => this.#fetch(from, end)));
      first = end - 1;
    }
    return spans;
  }

  async finish(whole: string): Promise<Blob | undefined> {
    const wanted = this.#remote.sha256?.toLowerCase();
    if (wanted !== undefined && wanted !== whole) {
      await this.#shelf.begin(this.#shelf.head as Head);
      throw new LoupeError(
        "damaged",
        `The model file ${this.#file.name} is not the one that was promised: its SHA-256 is ${whole.slice(0, 16)}… in place of ${wanted.slice(0, 16)}…; load it again.`,
      );
    }
    await this.#safely(() => this.#shelf.finish(whole));
    await this.close();
    const count = Math.ceil(this.size / this.#file.chunk);
    const chunks = await Promise.all(Array.from({ length: count }, (_, index) => this.#shelf.blob(index)));
    const held = chunks.filter((chunk) => chunk !== undefined);
    return held.length === count ? new Blob(held) : undefined;
  }

  /** Lets go of the file on the disk. */
  async close(): Promise<void> {
    this.#file.close();
    await this.#shelf.close();
  }

  /** No more is kept from now on. */
  async spill(why: string): Promise<void> {
    this.#shelf = await spill(this.#shelf);
    this.#spilled(why);
  }

  /** Whether what lies here whole is the file that is wanted. */
  async #isGood(head: Head, whole: string, offline: boolean): Promise<boolean> {
    if (this.#remote.sha256 !== undefined) return this.#remote.sha256.toLowerCase() === whole;
    if (offline) return true;
    try {
      return await this.#file.isStill(head.size, head.validator, PATIENCE);
    } catch {
      return true; // Nobody can be asked.
    }
  }

  async #ensure(index: number): Promise<boolean> {
    const has = (): boolean => this.#shelf.hashes.has(index);
    if (has()) return true;
    if (this.size > 0 && index * this.#file.chunk >= this.size) return false;
    if (this.#fetchingAll) {
      const waiting = this.#waiting.get(index) ?? Promise.withResolvers<void>();
      this.#waiting.set(index, waiting);
      await waiting.promise;
    } else if (this.#file.ranged) await this.#fetch(index, index + 1);
    else await this.#advance(index);
    return has();
  }

  /** Reads the whole on, until chunk `index` is there. */
  async #advance(index: number): Promise<void> {
    this.#whole ??= this.#chunks(0, Infinity);
    while (!this.#shelf.hashes.has(index)) {
      const { done, value } = await this.#whole.next();
      if (done) break;
      await this.#keep(value);
    }
    if (index === Infinity) this.#waiting.forEach((waiting) => waiting.resolve());
  }

  /** Chunks as they come. In memory none is lost, so there nobody wants their hashes. */
  #chunks(first: number, end: number): AsyncGenerator<Chunk> {
    return this.#file.chunks(first, end, !(this.#shelf instanceof MemoryShelf));
  }

  async #fetch(first: number, end: number): Promise<void> {
    for await (const chunk of this.#chunks(first, end)) await this.#keep(chunk);
  }

  async #keep({ index, bytes, hash }: Chunk): Promise<void> {
    await this.#safely(() => this.#shelf.write(index, bytes, hash ?? ""));
    this.#waiting.get(index)?.resolve();
    await this.#shelf.room?.(index);
  }

  /** Does it, in memory where there is no more room. */
  async #safely(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      await this.spill("there is no more room to keep it");
      await work();
    }
  }

  /** A failure ends the wait of whoever waits. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      for (const waiting of this.#waiting.values()) waiting.promise.catch(() => undefined), waiting.reject(cause);
      throw cause;
    }
  }
}

/** Whether what came of `then` can be put together with what comes of `now`. */
function goOn(then: Head, now: Head): boolean {
  if (then.url !== now.url || then.size !== now.size || then.chunk !== now.chunk || then.sha256 !== now.sha256) return false;
  return now.sha256 !== undefined || (now.validator !== undefined && then.validator === now.validator);
}
