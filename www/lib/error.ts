import type { ErrorKind } from "./protocol.gen.js";

/** A category to act on and one sentence for the person. Stopping is no error: it ends in `AbortError`, as on the web. */
export class LoupeError extends Error {
  override readonly name = "LoupeError";
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** What a stopped call ends in. */
export function aborted(what: string): DOMException {
  return new DOMException(what, "AbortError");
}
