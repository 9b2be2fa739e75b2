// What the client and its worker say to each other around the generated protocol. Weights and pictures travel as
// Blobs: handles, not copies, and the browser may keep their bytes on disk.

import type { EngineChoice, EngineInfo, EngineOptions } from "./caps.js";
import type { Manner } from "./client.js";
import type { Fit } from "./load/fit.js";
import type { Kept } from "./load/feed.js";
import type { Order } from "./load/load.js";
import type { Progress } from "./load/meter.js";
import type { Event, Request } from "./protocol.gen.js";
import type { Seal } from "./sealed/seal.js";

/** What an engine is made of where nothing can be fetched: all of it compiled. */
export interface Parts {
  readonly info: EngineChoice;
  readonly module: WebAssembly.Module;
  readonly forms: WebAssembly.Module;
}

/** Client → worker. */
export type ToWorker =
  /** Start the engine, of `parts` where it is sealed, with these helpers; fetch the model's two files and open them. */
  | { type: "open"; order: Order; engine: EngineOptions; parts?: Parts; helpers?: readonly MessagePort[] }
  /** What the model needs was heard, and nobody minds: fetch its weights. */
  | { type: "proceed" }
  /** Look at a picture file; what was seen is taken from the disk, and kept there, where it is to be remembered. */
  | ({ type: "see"; picture: number; file: Blob } & Manner)
  /** Anything that needs no bytes. */
  | { type: "request"; request: Request }
  /** Tell what the engine was made of. */
  | { type: "parts" }
  /** Give the GPU's memory back, and end. */
  | { type: "close" };

/** Worker → client. */
export type FromWorker =
  | Event
  /** The engine has started, or its network runs elsewhere than before. */
  | { type: "engine"; engine: EngineInfo }
  /** Bytes of the model that have arrived. */
  | { type: "fetched"; progress: Progress }
  /** What the model needs, and whether that is there; where it will be kept. */
  | { type: "fit"; fit: Fit; where: Kept["where"] }
  /** Where the files are now, so that a new worker needs no network. */
  | { type: "kept"; kept: Kept }
  /** What another worker needs to start the same engine without a network. */
  | { type: "parts"; parts: Parts }
  /** The worker is sealed. */
  | { type: "sealed"; seal: Seal }
  /** The worker's thread asked the network for something after the model was open. */
  | { type: "request"; url: string };

/** Worker → helper thread: what to make an instance of, and over which memory. */
export interface ToThread {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** Helper thread → worker. */
export type FromThread = { type: "arrived" } | { type: "failed"; message: string };
