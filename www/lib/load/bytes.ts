// Reading without leaving bytes behind. Each piece of a stream and each chunk of a Blob is a new buffer, as a rule, and a
// worker that loads a model gathers hundreds of megabytes of them before its collector comes. Here they are read into ones
// that serve again.

/** Bytes that are read at a time. */
const PIECE = 1 << 18;

/** Reads a stream piece by piece; undefined at its end. A piece is overwritten by the next. */
export function pieces(stream: ReadableStream<Uint8Array<ArrayBuffer>>): () => Promise<Uint8Array<ArrayBuffer> | undefined> {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    // This browser gives new ones.
    const plain = stream.getReader();
    return async () => (await plain.read()).value;
  }
  let buffer = new ArrayBuffer(PIECE);
  return async () => {
    const { value } = await reader.read(new Uint8Array(buffer));
    if (value) buffer = value.buffer;
    return value?.length ? value : undefined;
  };
}

/** Reads Blobs of up to so many bytes, each in place of the one before. */
export class BlobReader {
  #buffer = new Uint8Array();

  async read(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#buffer.length < blob.size) this.#buffer = new Uint8Array(blob.size);
    const next = pieces(blob.stream());
    let held = 0;
    for (let piece = await next(); piece; piece = await next()) {
      this.#buffer.set(piece, held);
      held += piece.length;
    }
    return this.#buffer.subarray(0, held);
  }
}

/** Gives back bytes of ours that no function of the browser has seen: of those it has, it keeps hold until they are collected. */
export function free(bytes: Uint8Array<ArrayBuffer>): void {
  // Where this is not known yet, the collector does it.
  if (!bytes.buffer.detached) bytes.buffer.transfer?.(0);
}
