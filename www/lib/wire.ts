// What the client and its worker say to each other around the generated protocol. Weights and pictures travel as
// Blobs: handles, not copies, and the browser may keep their bytes on disk.

import type { Event, Request } from "./protocol.gen.js";

/** A file: where to fetch it, or the file itself. */
export type Source = string | Blob;

/** Client → worker. */
export type ToWorker =
  /** Fetch the text model and the vision model, in that order, and open them. */
  | { type: "open"; files: readonly Source[] }
  /** Look at a picture file. */
  | { type: "see"; picture: number; file: Blob }
  /** Anything that needs no bytes. */
  | { type: "request"; request: Request };

/** Worker → client. */
export type FromWorker =
  | Event
  /** Bytes of the model that have arrived; `total` is 0 while the server has not said. */
  | { type: "fetched"; loaded: number; total: number }
  /** The files as they were fetched, so that a new worker needs no network. */
  | { type: "kept"; files: Blob[] }
  /** The worker's thread asked the network for something after the model was open. */
  | { type: "request"; url: string };
