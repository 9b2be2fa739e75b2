// A worker's life: it owns the engine, feeds it requests and passes its events on. It takes one bounded step at a time and
// reads its messages between steps, so that a stop arrives while an answer is being given.

import type { EngineInfo, EngineOptions } from "./caps.js";
import type { Manner } from "./client.js";
import { LoupeError } from "./error.js";
import { Refused, type Kept, type Listener } from "./load/feed.js";
import type { Order } from "./load/load.js";
import { watchRequests } from "./network.js";
import { nameOf, recall, remember } from "./pictures.js";
import { decodeInBrowser, isKnownFormat } from "./pixels.js";
import type { ErrorKind, Event, Request } from "./protocol.gen.js";
import { chooseDevice, type Engine, type Started } from "./start.js";
import type { FromWorker, Parts, ToWorker } from "./wire.js";

/** Where everything comes from: the network, or what a sealed worker was handed. */
export interface Supply {
  /** The engine, and what its network runs on; of `parts`, where they are given. */
  start(options: EngineOptions, parts: Parts | undefined, helpers: readonly MessagePort[] | undefined): Promise<Started>;
  /** Grammars for the model that is open. */
  giveForms(engine: Engine): Promise<void>;
  /** Brings a model to the engine. */
  load(engine: Engine, order: Order, listener: Listener): Promise<Kept>;
  /** What another worker needs to start the same engine without a network. */
  parts?(): Promise<Parts>;
}

let supply: Supply;
/** The engine, once the first message has said which. */
let started: Promise<Started> | undefined;
const breath = new MessageChannel();
/** What is to be handed to the engine before its next step: it takes nothing in the middle of one. */
const inbox: Request[] = [];
/** The bytes that go with some of them. */
const luggage = new Map<Request, Uint8Array>();
/** What was kept of some pictures, to be taken in the place of looking. */
const kept = new Map<Request, Uint8Array>();
/** The names under which some pictures are to be kept, once they were looked at. */
const toKeep = new Map<number, string>();
/** What runs, and what tells this model on it from others: two kernels may differ in the last bits of what they see. */
let [runs, kind] = ["", ""];
let working = false;
let watching = false;
let tail: Promise<void> = Promise.resolve();
/** The grammars, once an answer needed them. */
let forms: Promise<void> | undefined;
/** What was wanted of the engine. */
let wanted: EngineOptions = {};
/** What the model is opened from when its GPU fails: its files, or where they are fetched from when they are held nowhere. */
let source: Order | undefined;
/** How often a GPU was lost. */
let losses = 0;
/** Goes on with loading, which waits for whoever hears the verdict to call it off. */
let proceed: (() => void) | undefined;

/** Does what the client says from now on. */
export function serve(from: Supply): void {
  supply = from;
  self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === "proceed") return proceed?.();
    // One message after the other: reading a picture's bytes takes a moment, and what follows must not overtake it.
    // What goes wrong here is the engine's end; reported, it reaches the client as an error of this worker.
    tail = tail.then(() => receive(data)).catch(reportError);
  });
}

async function receive(message: ToWorker): Promise<void> {
  const { engine } = await (started ??= message.type === "open" ? begin(message.engine, message.parts, message.helpers) : begin({}));
  switch (message.type) {
    case "open":
      if (!(await open(engine, message.order, listener))) return;
      inbox.push({ type: "load" });
      break;
    case "see":
      inbox.push(await see(message.picture, message.file, message));
      break;
    case "request":
      inbox.push(message.request);
      break;
    case "parts":
      return give();
    case "close":
      inbox.push({ type: "unload" });
      break;
  }
  work(engine).catch(reportError);
}

async function begin(options: EngineOptions, parts?: Parts, helpers?: readonly MessagePort[]): Promise<Started> {
  wanted = options;
  const started = await supply.start(options, parts, helpers);
  tell(started.info);
  return started;
}

function tell(engine: EngineInfo): void {
  runs = `${engine.artefact}-${engine.device.kind}`;
  post({ type: "engine", engine });
}

/** Hands over what the engine was made of. */
async function give(): Promise<void> {
  try {
    const parts = await supply.parts?.();
    if (parts) post({ type: "parts", parts });
  } catch {
    const message = "The part of Loupe that holds answers to a form could not be fetched; check the connection and load again.";
    post({ type: "failed", id: null, picture: null, kind: "network", message });
  }
}

const listener: Listener = {
  progress: (progress) => post({ type: "fetched", progress }),
  fit: (fit, where) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    proceed = resolve;
    post({ type: "fit", fit, where });
    return promise;
  },
};

/** Brings the model to the engine; false, with the reason posted, where that cannot be done. */
async function open(engine: Engine, order: Order, listener: Listener): Promise<boolean> {
  try {
    const kept = await supply.load(engine, order, listener);
    source = kept.files.length > 0 ? { ...order, wanted: { kind: "blobs", blobs: kept.files } } : order;
    post({ type: "kept", kept });
  } catch (cause) {
    if (cause instanceof WebAssembly.RuntimeError) throw cause;
    // The engine itself says what is wrong with the files, when it is to open them.
    if (cause instanceof Refused) return true;
    const message = cause instanceof Error ? cause.message : String(cause);
    post({ type: "failed", id: null, picture: null, kind: cause instanceof LoupeError ? cause.kind : "internal", message });
    return false;
  }
  return true;
}

/** Sees to it that the engine has what it takes to hold an answer to its form; false, with the reason posted, where it cannot. */
async function form(engine: Engine, { id, options }: Extract<Request, { type: "ask" }>): Promise<boolean> {
  if ((options.format?.type ?? "text") === "text") return true;
  try {
    await (forms ??= supply.giveForms(engine));
  } catch {
    forms = undefined;
    const message = "The part of Loupe that holds answers to a form could not be fetched; check the connection and ask again.";
    post({ type: "failed", id, picture: null, kind: "network", message });
    return false;
  }
  return true;
}

/** What failed, in a few words. */
const FAULTS: Partial<Record<ErrorKind, string>> = {
  gpu: "the GPU was lost",
  memory: "the GPU has too little memory for this model",
  internal: "the GPU refused a step",
};

/** The GPU failed: the same files are opened on another, if it was lost for the first time, or else on the processor. */
async function move({ kind, message }: Extract<Event, { type: "stalled" }>): Promise<boolean> {
  const { engine, info } = (await started) as Started;
  losses += 1;
  const device = await chooseDevice(engine, kind === "gpu" && losses === 1 ? wanted : { device: "cpu" });
  const why = FAULTS[kind] ?? message;
  tell({ ...info, device: { ...device, why: device.kind === "gpu" ? [...device.why, why] : [why] } });
  engine.startOver();
  const silent: Listener = { progress: () => undefined, fit: async () => undefined };
  return source !== undefined && open(engine, source, silent);
}

/** The request to look at a file, with its bytes, or with its pixels where only the browser can read it. */
async function see(picture: number, file: Blob, { remember, maxSlices }: Manner): Promise<Request> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const pixels = isKnownFormat(bytes) ? undefined : await decodeInBrowser(file);
  // What nobody can read goes to the engine as well: it says best what is wrong with it.
  const cut = maxSlices === undefined ? {} : { maxSlices };
  const request: Request = pixels
    ? { type: "seePixels", picture, width: pixels.width, height: pixels.height, ...cut }
    : { type: "see", picture, ...cut };
  luggage.set(request, pixels?.bytes ?? bytes);
  const name = remember ? await nameOf(bytes, maxSlices === undefined ? kind : `${kind}-${maxSlices}`) : undefined;
  if (name === undefined) return request;
  const seen = await recall(name);
  if (seen) kept.set(request, seen);
  toKeep.set(picture, name);
  return request;
}

/** Hands over what waits and steps, until nothing is left to do. */
async function work(engine: Engine): Promise<void> {
  if (working) return;
  working = true;
  for (;;) {
    for (const request of inbox.splice(0)) {
      if (request.type === "ask" && !(await form(engine, request))) continue;
      hand(engine, request);
      if (request.type === "unload") return self.close();
    }
    const events = await engine.step();
    if (events === undefined && inbox.length === 0) break;
    for (const event of JSON.parse(events ?? "[]") as Event[]) {
      // Kept before it is told: a worker may be ended at any moment after.
      if (event.type === "seen") await keep(engine, event.picture);
      post(event);
      if (event.type === "ready") kind = `${event.model.hash}-${runs}`;
      if (event.type === "ready" && !watching) watchRequests((url) => post({ type: "request", url }));
      watching ||= event.type === "ready";
      // Before anything that was asked for meanwhile.
      if (event.type === "stalled" && (await move(event))) inbox.unshift({ type: "load" });
    }
    await breathe();
  }
  working = false;
}

/** A request for the engine; a picture that it saw another day it need not look at again. */
function hand(engine: Engine, request: Request): void {
  const [bytes, seen] = [luggage.get(request), kept.get(request)];
  luggage.delete(request);
  kept.delete(request);
  if (seen && "picture" in request && engine.seeAgain(request.picture, seen)) toKeep.delete(request.picture);
  else engine.handle(JSON.stringify(request), bytes);
}

/** Keeps what was seen of a picture, where it is to be remembered. */
async function keep(engine: Engine, picture: number): Promise<void> {
  const name = toKeep.get(picture);
  toKeep.delete(picture);
  const bytes = name && engine.remembered(picture);
  if (name && bytes) await remember(name, new Uint8Array(bytes));
}

/** Lets the messages that wait be read. A timer would be held back to 4 ms, which is longer than a small model's token. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    breath.port1.onmessage = () => resolve();
    breath.port2.postMessage(null);
  });
}

/** Tells the client. */
export function post(message: FromWorker): void {
  self.postMessage(message);
}
