// An answer on its way, to be awaited whole or read as it comes.

import { aborted } from "./error.js";
import type { Answer } from "./protocol.gen.js";

/** An answer on its way: read it piece by piece with `for await`, or `await` the whole. */
export interface Answering extends AsyncIterable<string>, PromiseLike<Answer> {
  /** Stops; the answer then ends with what was said so far. */
  stop(): void;
}

/** Begins an answer: `begin` is told where to say its pieces, and what stops it besides `signal`. */
export function answering(
  begin: (say: (text: string) => void, signal: AbortSignal) => Promise<Answer>,
  signal?: AbortSignal,
): Answering {
  const stopper = new AbortController();
  const either = signal ? AbortSignal.any([signal, stopper.signal]) : stopper.signal;
  const pieces = new TransformStream<string, string>(undefined, undefined, { highWaterMark: Infinity });
  const writer = pieces.writable.getWriter();
  const whole = begin((text) => void writer.write(text).catch(() => undefined), either);
  whole.then(
    () => writer.close(),
    (reason) => writer.abort(reason),
  ).catch(() => undefined);
  return {
    stop: () => stopper.abort(aborted("The answer was stopped.")),
    then: (fulfilled, rejected) => whole.then(fulfilled, rejected),
    async *[Symbol.asyncIterator]() {
      const reader = pieces.readable.getReader();
      try {
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
      } finally {
        // Leaving the loop early is a way of stopping.
        stopper.abort(aborted("The answer was stopped."));
      }
    },
  };
}
