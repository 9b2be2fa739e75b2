import { LoupeError } from "./error.js";
import type { Source } from "./wire.js";

/** Where the bytes of a file come from, before any is read. */
interface Arrival {
  readonly body: ReadableStream<Uint8Array>;
  readonly size: number;
}

/**
 * Hands every chunk of `files` to `push`, in order, and resolves to the files themselves.
 * `progress` hears bytes of all files together; its total is 0 where a server does not tell a size.
 */
export async function fetchFiles(
  files: readonly Source[],
  push: (file: number, chunk: Uint8Array) => void,
  progress: (loaded: number, total: number) => void,
): Promise<Blob[]> {
  // All are asked for before any is read, so that the total is true from the first report.
  const arrivals = await Promise.all(files.map(arrive));
  const total = arrivals.every(({ size }) => size > 0) ? arrivals.reduce((sum, { size }) => sum + size, 0) : 0;
  let loaded = 0;
  const kept: Blob[] = [];
  for (const [file, { body }] of arrivals.entries()) {
    const [read, keep] = body.tee();
    const whole = new Response(keep).blob();
    for (const reader = read.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      push(file, value);
      loaded += value.length;
      progress(loaded, Math.max(total, loaded));
    }
    kept.push(await whole);
  }
  return kept;
}

async function arrive(source: Source): Promise<Arrival> {
  if (typeof source !== "string") return { body: source.stream(), size: source.size };
  const name = new URL(source).pathname.split("/").pop() ?? source;
  let response: Response;
  try {
    response = await fetch(source);
  } catch (cause) {
    throw new LoupeError("model", `The model file ${name} could not be fetched; check the connection and load again.`, { cause });
  }
  if (!response.ok || !response.body) {
    throw new LoupeError("model", `The model file ${name} is not on the server (status ${response.status}).`);
  }
  // A compressed answer's length says nothing about the bytes that come out of it.
  const plain = !response.headers.has("content-encoding");
  return { body: response.body, size: plain ? Number(response.headers.get("content-length") ?? 0) : 0 };
}
