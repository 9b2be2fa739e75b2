// A file on a server, in chunks. Whatever the server does, a chunk that comes out of here is whole, of one version of the
// file, and the one that was promised where a promise was made.

import { LoupeError } from "../error.js";
import type { Remote } from "../protocol.gen.js";
import { free, pieces } from "./bytes.js";
import { sha256 } from "./hash.js";

/** Bytes of a chunk, unless the manifest says otherwise. */
export const CHUNK = 1 << 22;

/** How long nothing may come, how long to wait before a new try (doubled with each), how many tries without a byte. */
export const TERMS = { patience: 30_000, pause: 500, tries: 5 };

/** Part of a file, and its SHA-256 where that was computed. The bytes are overwritten by the next chunk. */
export interface Chunk {
  readonly index: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly hash: string | undefined;
}

/** The file is another one by now; what came of it before is of no use. */
export class Changed extends Error {}

/** What may be tried again. */
class Trouble extends Error {}

/** An answer that is being read: its bytes begin at `from` and, if nothing goes wrong, end at `to`. */
interface Answer {
  readonly from: number;
  readonly to: number;
  readonly read: () => Promise<Uint8Array | undefined>;
  readonly cancel: () => void;
}

export class RemoteFile {
  readonly name: string;
  readonly chunk: number;
  /** Bytes; 0 while nobody has said. */
  size: number;
  /** What the server calls this version: a strong `ETag`, or when it was last modified. */
  validator: string | undefined;
  /** Whether the server gives parts; undefined before it was asked. */
  ranged: boolean | undefined;
  readonly #remote: Remote;
  readonly #signal: AbortSignal;
  readonly #came: (bytes: number) => void;
  /** Whether the server has said which version it is. */
  #known = false;
  /** What chunks are read into, when nobody does. */
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  /** The answer that told the size, kept until somebody reads on from where it begins. */
  #first: Answer | undefined;

  /** `came` hears of every byte that arrives, and of those that arrived in vain as less than none. */
  constructor(remote: Remote, signal: AbortSignal, came: (bytes: number) => void) {
    this.#remote = remote;
    this.#signal = signal;
    this.#came = came;
    this.name = new URL(remote.url).pathname.split("/").pop() || remote.url;
    this.chunk = remote.chunks?.size ?? CHUNK;
    this.size = remote.size ?? 0;
  }

  /** Asks for chunk `index`, and so learns what the file is. */
  async begin(index: number): Promise<void> {
    // Who may not read a file will not be allowed to by asking often.
    this.#first = await this.#patiently(2, () => this.#ask(index * this.chunk, (index + 1) * this.chunk));
  }

  /** Whether the file on the server is still the one with this size and this validator; rejects when nobody answers. */
  async isStill(size: number, validator: string | undefined, patience: number): Promise<boolean> {
    const response = await fetch(this.#remote.url, { headers: { Range: "bytes=0-0" }, signal: AbortSignal.timeout(patience), cache: "no-store" });
    await response.body?.cancel();
    if (!response.ok) throw new Trouble(`status ${response.status}`);
    const told = sizeOf(response);
    return validator !== undefined && validatorOf(response) === validator && (told === undefined || told === size);
  }

  /** The chunks from `first` to before `end`, in order; their hashes where they are wanted, or promised. */
  async *chunks(first: number, end: number, hashed: boolean): AsyncGenerator<Chunk> {
    const buffer = this.#buffers.pop() ?? new Uint8Array(this.chunk);
    try {
      yield* this.#chunksIn(buffer, first, end, hashed);
    } finally {
      this.#buffers.push(buffer);
    }
  }

  /** Frees what chunks were read into: no more are wanted. */
  close(): void {
    for (const buffer of this.#buffers.splice(0)) free(buffer);
  }

  async *#chunksIn(buffer: Uint8Array<ArrayBuffer>, first: number, end: number, hashed: boolean): AsyncGenerator<Chunk> {
    let [index, held, wrong] = [first, 0, 0];
    for (let tries = 0; index < Math.min(end, this.#count()); ) {
      const before = index * this.chunk + held;
      let answer: Answer | undefined;
      try {
        answer = await this.#from(before, end * this.chunk);
        for (let at = answer.from, piece = await answer.read(); ; piece = await answer.read()) {
          if (!piece && at < answer.to && this.size > 0) throw new Trouble("the connection broke");
          if (!piece && at === 0) throw this.#damaged("it is empty");
          // A file whose size nobody told ends where its answer ends.
          if (!piece && this.size === 0) this.size = at;
          for (let rest = piece?.subarray(Math.max(0, before - at)) ?? new Uint8Array(); ; ) {
            const room = Math.min(this.chunk, this.size > 0 ? this.size - index * this.chunk : Infinity) - held;
            const part = rest.subarray(0, room);
            buffer.set(part, held);
            [held, rest] = [held + part.length, rest.subarray(part.length)];
            this.#came(part.length);
            if (part.length < room || held === 0) break;
            const chunk = await this.#verified(index, buffer.subarray(0, held), hashed);
            if (!chunk) {
              this.#came(-held);
              [held, wrong] = [0, wrong + 1];
              if (wrong === 3) throw this.#damaged(`its bytes from ${index * this.chunk} on are not those that were promised`);
              throw new Trouble("a chunk is not the one that was promised");
            }
            [held, tries, wrong] = [0, 0, 0];
            yield chunk;
            index += 1;
            if (index === end) return;
          }
          at += piece?.length ?? 0;
          if (!piece || at >= answer.to) break;
        }
      } catch (cause) {
        if (!(cause instanceof Trouble)) throw cause;
        tries = index * this.chunk + held > before ? 1 : tries + 1;
        if (tries >= TERMS.tries) throw this.#unreachable(cause);
        await this.#pause(tries);
      } finally {
        answer?.cancel();
      }
    }
  }

  /** How many chunks there are, as far as is known. */
  #count(): number {
    return this.size > 0 ? Math.ceil(this.size / this.chunk) : Infinity;
  }

  async #verified(index: number, bytes: Uint8Array<ArrayBuffer>, hashed: boolean): Promise<Chunk | undefined> {
    const wanted = this.#remote.chunks?.sha256[index]?.toLowerCase();
    const hash = hashed || wanted !== undefined ? await sha256(bytes) : undefined;
    return hash === undefined || wanted === undefined || hash === wanted ? { index, bytes, hash } : undefined;
  }

  /** An answer that has the byte at `from`, and goes on to `to` if the server is asked anew. */
  async #from(from: number, to: number): Promise<Answer> {
    const first = this.#first;
    this.#first = undefined;
    if (first && first.from <= from && from < first.to) return first;
    first?.cancel();
    return this.#ask(from, to);
  }

  async #patiently<T>(most: number, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (cause) {
        if (!(cause instanceof Trouble)) throw cause;
        if (tries >= most) throw this.#unreachable(cause);
        await this.#pause(tries);
      }
    }
  }

  /** One request. */
  async #ask(from: number, to: number): Promise<Answer> {
    const request = new AbortController();
    const cancel = (): void => request.abort();
    this.#signal.addEventListener("abort", cancel, { once: true });
    const patient = async <T>(work: Promise<T>): Promise<T> => {
      const timer = setTimeout(cancel, TERMS.patience);
      try {
        return await work;
      } catch (cause) {
        this.#signal.throwIfAborted();
        throw new Trouble(request.signal.aborted ? "nothing came for too long" : String(cause), { cause });
      } finally {
        clearTimeout(timer);
      }
    };
    const last = (this.size > 0 ? Math.min(to, this.size) : to) - 1;
    // No `If-Range`: it would need the server's leave across origins. What comes back is compared instead, which is as good.
    const headers = this.ranged === false ? new Headers() : new Headers({ Range: `bytes=${from}-${last}` });
    const response = await patient(fetch(this.#remote.url, { headers, signal: request.signal, cache: "no-store" }));
    if (!response.ok || !response.body) throw this.#refusal(response.status);
    const partial = response.status === 206;
    const [, start] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
    if (partial && start !== undefined && Number(start) !== from) throw new Trouble("the server gives another part than it was asked for");
    let size = sizeOf(response);
    if (partial && size === undefined && this.size === 0) {
      // The server does not let this page read how much there is: the whole is asked for, which tells.
      cancel();
      this.ranged = false;
      return this.#ask(from, to);
    }
    size ??= this.size;
    if (this.#remote.size !== undefined && size !== this.#remote.size && size > 0) {
      cancel();
      throw this.#damaged(`it has ${size.toLocaleString("en")} bytes, not the ${this.#remote.size.toLocaleString("en")} that were promised`);
    }
    const validator = validatorOf(response);
    if (this.#known && (size !== this.size || validator !== this.validator)) {
      cancel();
      throw new Changed();
    }
    [this.size, this.validator, this.#known] = [size, validator, true];
    this.ranged ??= partial;
    const next = pieces(response.body);
    return {
      from: partial ? from : 0,
      to: partial ? last + 1 : size > 0 ? size : Infinity,
      read: () => patient(next()),
      cancel,
    };
  }

  #pause(tries: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, TERMS.pause * 2 ** (tries - 1)));
  }

  #refusal(status: number): Error {
    if (status === 416) return new Changed();
    if (status === 408 || status === 429 || status >= 500) return new Trouble(`the server answers with status ${status}`);
    const why = { 401: "its server does not give it to everybody", 403: "its server does not give it to everybody", 404: "it is not on the server" }[status];
    return new LoupeError("network", `The model file ${this.name} could not be fetched: ${why ?? "its server refuses"} (status ${status}).`);
  }

  #unreachable(cause: Trouble): LoupeError {
    return unreachable(`The model file ${this.name}`, this.#remote.url, cause);
  }

  #damaged(why: string): LoupeError {
    return new LoupeError("damaged", `The model file ${this.name} is not the one that was meant: ${why}. Load it again; if it stays so, the file on the server is damaged.`);
  }
}

/** Says why something could not be fetched, as far as a page is told. */
export function unreachable(what: string, url: string, cause: Error): LoupeError {
  const foreign = new URL(url).origin !== location.origin;
  const refused = cause.cause instanceof TypeError && foreign && navigator.onLine;
  const why = refused
    ? `either ${new URL(url).host} cannot be reached, or it does not let pages of other sites read this (CORS)`
    : cause.message.replace(/^TypeError: /, "");
  return new LoupeError("network", `${what} could not be fetched: ${why}; check the connection and load again, what has come is kept.`, { cause });
}

/** Bytes of the whole file, where the server says so and this page may read it. */
function sizeOf(response: Response): number | undefined {
  if (response.status === 206) {
    const [, size] = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
    return size === undefined ? undefined : Number(size);
  }
  // A compressed answer's length says nothing about the bytes that come out of it.
  const length = response.headers.has("content-encoding") ? null : response.headers.get("content-length");
  return length === null ? undefined : Number(length);
}

/** A weak `ETag` says that two versions mean the same, not that they have the same bytes. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get("etag");
  return (tag?.startsWith("W/") ? undefined : tag) ?? headers.get("last-modified") ?? undefined;
}
