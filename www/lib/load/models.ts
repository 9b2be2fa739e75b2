// What is kept on this machine: to be listed and deleted, by the page itself.

import { CACHE, ROOT } from "./store-cache.js";
import { FOLDER, readJournal, RECORD, textOf, type Journal } from "./store-opfs.js";
import { lengthOf, type ModelRecord } from "./store.js";

/** A model that was fetched, or begun to be. */
export interface StoredModel {
  readonly id: string;
  /** What to call it. */
  readonly name: string;
  /** What `Loupe.load` opens it by again. */
  readonly source: string;
  /** Bytes that are here. */
  readonly bytes: number;
  /** Whether that is all of it, so that it opens without a network. */
  readonly complete: boolean;
  readonly added: Date;
}

/** What the browser says of the room it gives this site, in bytes. */
export interface Room {
  readonly used: number;
  readonly most: number;
  /** Whether the browser has promised not to clear it when it needs the room. */
  readonly lasting: boolean;
}

/** The models kept for this site, the newest first. */
async function list(): Promise<StoredModel[]> {
  const found = [...(await filed().catch(() => [])), ...(await cached().catch(() => []))];
  return found.sort((a, b) => b.added.getTime() - a.added.getTime());
}

/** Deletes a model. One that is open goes on answering; it has to be fetched again only when it is loaded again. */
async function remove(id: string): Promise<void> {
  const folder = await filesOf(false).catch(() => undefined);
  await folder?.removeEntry(id, { recursive: true }).catch((cause: unknown) => {
    if (!(cause instanceof DOMException && cause.name === "NotFoundError")) throw cause;
  });
  if (!(await globalThis.caches?.has(CACHE).catch(() => false))) return;
  const cache = await caches.open(CACHE);
  for (const request of await cache.keys()) if (request.url.startsWith(`${ROOT}${id}/`)) await cache.delete(request);
}

/** How much room there is. */
async function room(): Promise<Room> {
  const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
  return { used: usage, most: quota, lasting: (await navigator.storage?.persisted?.()) ?? false };
}

/** What is kept of models on this machine: `list()` tells it, `delete(id)` deletes one, `room()` says how much more there is room for. */
export const models = { list, delete: remove, room };

function filesOf(create: boolean): Promise<FileSystemDirectoryHandle> {
  return navigator.storage.getDirectory().then((root) => root.getDirectoryHandle(FOLDER, { create }));
}

async function filed(): Promise<StoredModel[]> {
  const found: StoredModel[] = [];
  for await (const [id, folder] of (await filesOf(false)).entries()) {
    const text = await textOf(folder as FileSystemDirectoryHandle, RECORD);
    if (text === "") continue;
    const journals = await Promise.all([0, 1].map((file) => textOf(folder as FileSystemDirectoryHandle, `${file}.journal`)));
    found.push(describe(id, JSON.parse(text) as ModelRecord, journals.map(readJournal)));
  }
  return found;
}

async function cached(): Promise<StoredModel[]> {
  if (!(await caches.has(CACHE))) return [];
  const cache = await caches.open(CACHE);
  const addresses = (await cache.keys()).map(({ url }) => url);
  const found: StoredModel[] = [];
  for (const url of addresses.filter((url) => url.endsWith("/model"))) {
    const root = url.slice(0, -"model".length);
    const journals = [0, 1].map(async (file): Promise<Journal> => {
      const top = (await (await cache.match(`${root}${file}/head`))?.json()) as Pick<Journal, "head" | "sha256"> | undefined;
      const chunks = addresses.filter((url) => url.startsWith(`${root}${file}/`) && url.includes("?"));
      const hashes = chunks.map((url) => /\/(\d+)\?(.+)$/.exec(url)).map((match) => [Number(match?.[1]), match?.[2] ?? ""] as const);
      return { head: top?.head, hashes: new Map(hashes), sha256: top?.sha256 };
    });
    const record = (await (await cache.match(url))?.json()) as ModelRecord;
    found.push(describe(root.slice(ROOT.length, -1), record, await Promise.all(journals)));
  }
  return found;
}

function describe(id: string, { name, source, added }: ModelRecord, journals: readonly Journal[]): StoredModel {
  let bytes = 0;
  for (const { head, hashes } of journals) if (head) for (const index of hashes.keys()) bytes += lengthOf(head, index);
  return { id, name, source, bytes, complete: journals.every(({ sha256 }) => sha256 !== undefined), added: new Date(added) };
}
