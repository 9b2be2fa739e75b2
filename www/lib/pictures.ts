// Pictures that were looked at, kept in the origin's private files for whoever asked for it, so that after a reload nothing is looked at again.

import { sha256 } from "./load/hash.js";

const FOLDER = "loupe-pictures";
/** Beyond this the longest unused ones are forgotten. */
const MOST_BYTES = 256 * 2 ** 20;

/** The name under which what a model saw in a file is kept; undefined on pages that are not served securely. */
export async function nameOf(file: Uint8Array<ArrayBuffer>, model: string): Promise<string | undefined> {
  const hash = await sha256(file);
  return hash && `${model}-${hash}`;
}

/** What was kept under `name`; nothing where there is none, or no such place. */
export async function recall(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const file = await (await (await folder(false)).getFileHandle(name)).getFile();
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    return undefined;
  }
}

/** Keeps `bytes`; where there is no room or no such place, nothing is kept, and nothing is lost but time. */
export async function remember(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  try {
    const here = await folder(true);
    await makeRoom(here, bytes.length);
    // It takes its place when it is whole.
    const stream = await (await here.getFileHandle(name, { create: true })).createWritable();
    await stream.write(bytes);
    await stream.close();
  } catch {
    // As if it had not been asked for.
  }
}

/** What is remembered of pictures, for `see` with `remember`. */
export const pictures = {
  /** Forgets all of it, for good. */
  async forget(): Promise<void> {
    try {
      await (await navigator.storage.getDirectory()).removeEntry(FOLDER, { recursive: true });
    } catch (cause) {
      // Where there is no such place, and where there is nothing in it, nothing is remembered.
      const nothing = cause instanceof DOMException && (cause.name === "NotFoundError" || cause.name === "SecurityError");
      if (!nothing) throw cause;
    }
  },
};

async function folder(create: boolean): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create });
}

/** Files know when they were written, not when they were read: the oldest give way. */
async function makeRoom(here: FileSystemDirectoryHandle, bytes: number): Promise<void> {
  const kept: { name: string; size: number; time: number }[] = [];
  for await (const handle of here.values()) {
    if (handle.kind !== "file") continue;
    const { size, lastModified } = await (handle as FileSystemFileHandle).getFile();
    kept.push({ name: handle.name, size, time: lastModified });
  }
  kept.sort((a, b) => a.time - b.time);
  let used = bytes + kept.reduce((sum, { size }) => sum + size, 0);
  for (const { name, size } of kept) {
    if (used <= MOST_BYTES) return;
    await here.removeEntry(name);
    used -= size;
  }
}
