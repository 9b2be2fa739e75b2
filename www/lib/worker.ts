// The worker: owns the engine, feeds it requests and passes its events on. It takes one bounded step at a time and
// reads its messages between steps, so that a stop arrives while an answer is being given.

import init, { Engine } from "./engine/loupe.js";
import { LoupeError } from "./error.js";
import { fetchFiles } from "./fetch.js";
import { watchRequests } from "./network.js";
import { decodeInBrowser, isKnownFormat } from "./pixels.js";
import type { Event, Request } from "./protocol.gen.js";
import type { FromWorker, Source, ToWorker } from "./wire.js";

const ready = init().then(() => new Engine());
const breath = new MessageChannel();
let working = false;
let tail: Promise<void> = Promise.resolve();

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  // One message after the other: reading a picture's bytes takes a moment, and what follows must not overtake it.
  // What goes wrong here is the engine's end; reported, it reaches the client as an error of this worker.
  tail = tail.then(() => receive(data)).catch(reportError);
});

async function receive(message: ToWorker): Promise<void> {
  const engine = await ready;
  switch (message.type) {
    case "open":
      if (!(await open(engine, message.files))) return;
      break;
    case "see":
      await see(engine, message.picture, message.file);
      break;
    case "request":
      handle(engine, message.request);
      break;
  }
  work(engine).catch(reportError);
}

/** Fetches and opens the model; false, with the reason posted, where that cannot be done. */
async function open(engine: Engine, files: readonly Source[]): Promise<boolean> {
  try {
    const kept = await fetchFiles(
      files,
      (file, chunk) => engine.push(file, chunk),
      (loaded, total) => post({ type: "fetched", loaded, total }),
    );
    post({ type: "kept", files: kept });
  } catch (cause) {
    if (cause instanceof WebAssembly.RuntimeError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    post({ type: "failed", id: null, picture: null, kind: cause instanceof LoupeError ? cause.kind : "model", message });
    return false;
  }
  handle(engine, { type: "load" });
  return true;
}

async function see(engine: Engine, picture: number, file: Blob): Promise<void> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const pixels = isKnownFormat(bytes) ? undefined : await decodeInBrowser(file);
  if (pixels) {
    const { width, height } = pixels;
    handle(engine, { type: "seePixels", picture, width, height }, pixels.bytes);
  } else {
    // What nobody can read goes to the engine as well: it says best what is wrong with it.
    handle(engine, { type: "see", picture }, bytes);
  }
}

function handle(engine: Engine, request: Request, bytes?: Uint8Array): void {
  engine.handle(JSON.stringify(request), bytes);
}

/** Steps until nothing is left to do. */
async function work(engine: Engine): Promise<void> {
  if (working) return;
  working = true;
  for (let events = await engine.step(); events !== undefined; events = await engine.step()) {
    for (const event of JSON.parse(events) as Event[]) {
      post(event);
      if (event.type === "ready") watchRequests((url) => post({ type: "request", url }));
    }
    await breathe();
  }
  working = false;
}

/** Lets the messages that wait be read. A timer would be held back to 4 ms, which is longer than a small model's token. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    breath.port1.onmessage = () => resolve();
    breath.port2.postMessage(null);
  });
}

function post(message: FromWorker): void {
  self.postMessage(message);
}
