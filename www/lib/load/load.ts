// A model from wherever it is into the engine: headers first, then a verdict, then the rest on several connections at once,
// while what has come is opened.

import { LoupeError } from "../error.js";
import type { Remote } from "../protocol.gen.js";
import { feed, give, Refused, type Kept, type Listener, type Opener } from "./feed.js";
import { size, type Fit } from "./fit.js";
import { Meter } from "./meter.js";
import { FetchedPart, GivenPart, type Part } from "./part.js";
import { Changed, TERMS } from "./ranges.js";
import { resolve, type Names } from "./resolve.js";
import { isFull, openStore, type Store } from "./store.js";
import { MemoryStore } from "./store-memory.js";
import { idOf, lockOf, nameOf, type Wanted } from "./wanted.js";

/** How often a file may change on its server while it is fetched. */
const CHANGES = 2;

/** What is to be loaded, and how. */
export interface Order {
  readonly wanted: Wanted;
  /** Whether to keep it for the next time. */
  readonly keep: boolean;
  /** Ask no network. */
  readonly offline: boolean;
  /** Milliseconds that a server may say nothing. */
  readonly patience?: number | undefined;
}

/** Feeds the engine with the model. */
export async function load(engine: Opener, names: Names, order: Order, listener: Listener): Promise<Kept> {
  const { wanted, keep, offline, patience } = order;
  if (patience !== undefined) Object.assign(TERMS, { patience, pause: patience / 60 });
  if (wanted.kind === "blobs") return give(engine, wanted.blobs, listener);
  const name = nameOf(wanted);
  const id = keep && name !== undefined ? await idOf(name) : undefined;
  // Two pages that want the same model fetch it once, one after the other.
  return exclusively(id, async () => {
    let { store, why } = await openStore(id);
    const meter = new Meter(listener.progress);
    for (let changes = 0; ; changes += 1) {
      const stop = new AbortController();
      try {
        const told = (fit: Fit): Promise<void> => listener.fit(fit, store.where);
        const files = await fetchAndFeed(engine, names, order, store, meter, stop.signal, told, (reason) => (why = reason));
        return { files, where: why === "" ? store.where : "memory", why };
      } catch (cause) {
        stop.abort();
        if (isFull(cause) && store.where !== "memory") {
          // Not even what little is written besides the bytes has room.
          await store.discard();
          [store, why] = [new MemoryStore(), "there is no more room to keep it"];
        } else if (!(cause instanceof Changed)) throw cause;
        else if (changes === CHANGES || offline) throw new LoupeError("damaged", "The model changes on its server while it is fetched; load it again later.");
        engine.startOver();
        meter.restart();
      }
    }
  });
}

async function fetchAndFeed(
  engine: Opener,
  names: Names,
  { wanted, offline }: Order,
  store: Store,
  meter: Meter,
  signal: AbortSignal,
  told: (fit: Fit) => Promise<void>,
  spilled: (why: string) => void,
): Promise<Blob[]> {
  const files = wanted.kind === "mixed" ? wanted.files : await resolve(wanted, names, store, offline);
  const fetched: FetchedPart[] = [];
  const begin = async (file: string | Blob | Remote, index: number): Promise<Part> => {
    if (file instanceof Blob) return new GivenPart(file);
    const remote = typeof file === "string" ? { url: file } : file;
    const part = new FetchedPart(remote, await store.shelf(index), signal, (bytes) => meter.add(bytes), spilled);
    fetched.push(part);
    await part.begin(offline);
    return part;
  };
  let wanting = false;
  try {
    const parts = await Promise.all(files.map(begin));
    return await feed(engine, parts, meter, async (fit) => {
      await told(fit);
      wanting = fit.fits !== "no";
      const { quota = Infinity, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
      if (store.where === "memory" || quota - usage >= fit.download) return;
      const why = `there is room for ${size(Math.max(0, quota - usage))}, and ${size(fit.download)} are missing`;
      for (const part of fetched) await part.spill(why);
    });
  } catch (cause) {
    // Or the files could be neither deleted nor opened again for a while.
    await Promise.all(fetched.map((part) => part.close()));
    // Headers of what cannot be used take no room; what was fetched before is not for us to throw away.
    const refused = cause instanceof Refused || (cause instanceof LoupeError && cause.kind === "memory");
    if (refused && !wanting && fetched.every(({ there }) => there === 0)) await store.discard();
    throw cause;
  }
}

async function exclusively<T>(id: string | undefined, work: () => Promise<T>): Promise<T> {
  if (id === undefined || !navigator.locks) return work();
  return navigator.locks.request(lockOf(id), work) as Promise<T>;
}
