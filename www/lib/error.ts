import type { ErrorKind } from "./protocol.gen.js";

/** What the web platform calls such a thing, for those who tell errors apart by `name`. */
const NAMES = {
  usage: "TypeError",
  picture: "EncodingError",
  model: "NotSupportedError",
  network: "NetworkError",
  damaged: "DataError",
  storage: "QuotaExceededError",
  memory: "QuotaExceededError",
  gpu: "OperationError",
  internal: "OperationError",
} as const satisfies Record<ErrorKind, string>;

/**
 * A category to act on and one sentence for the person. `kind` tells Loupe's categories apart and `name` is the platform's word for
 * it, `NetworkError` say. Stopping is no error: it ends in `AbortError`, as on the web.
 */
export class LoupeError extends Error {
  override readonly name: (typeof NAMES)[ErrorKind];
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.name = NAMES[kind];
  }
}

/** What a stopped call ends in. */
export function aborted(what: string): DOMException {
  return new DOMException(what, "AbortError");
}

/** What asking for something that Loupe does not do ends in, in the interfaces that are shaped after others'. */
export function unsupported(what: string): DOMException {
  return new DOMException(what, "NotSupportedError");
}
