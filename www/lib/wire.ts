// What the client and its worker say to each other around the generated protocol. Weights and pictures travel as
// Blobs: handles, not copies, and the browser may keep their bytes on disk.

import type { EngineInfo, EngineOptions } from "./caps.js";
import type { Event, Request } from "./protocol.gen.js";

/** A file: where to fetch it, or the file itself. */
export type Source = string | Blob;

/** Client → worker. */
export type ToWorker =
  /** Start the engine, fetch the text model and the vision model, in that order, and open them. */
  | { type: "open"; files: readonly Source[]; engine: EngineOptions }
  /** Look at a picture file. */
  | { type: "see"; picture: number; file: Blob }
  /** Anything that needs no bytes. */
  | { type: "request"; request: Request };

/** Worker → client. */
export type FromWorker =
  | Event
  /** The engine has started. */
  | { type: "engine"; engine: EngineInfo }
  /** Bytes of the model that have arrived; `total` is 0 while the server has not said. */
  | { type: "fetched"; loaded: number; total: number }
  /** The files as they were fetched, so that a new worker needs no network. */
  | { type: "kept"; files: Blob[] }
  /** The worker's thread asked the network for something after the model was open. */
  | { type: "request"; url: string };

/** Worker → helper thread: what to make an instance of, and over which memory. */
export interface ToThread {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** Helper thread → worker. */
export type FromThread = { type: "arrived" } | { type: "failed"; message: string };
