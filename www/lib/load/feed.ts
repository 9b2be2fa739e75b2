// A model's two files into the engine, chunk by chunk: headers first, then a verdict, then the rest.

import { LoupeError } from "../error.js";
import type { Needs } from "../protocol.gen.js";
import { fit, type Fit } from "./fit.js";
import { Meter, type Progress } from "./meter.js";
import { GivenPart, type Part } from "./part.js";
import type { Where } from "./store.js";

/** Requests at a time: browsers open six connections to a server that speaks HTTP/1.1, and the page may want one. */
const LANES = 4;

/** What of the engine loading needs. */
export interface Opener {
  push(file: number, bytes: Uint8Array): boolean;
  knows(file: number): boolean;
  needs(): string | undefined;
  sha256(file: number): string | undefined;
  startOver(): void;
}

/** Where the model's bytes are now. */
export interface Kept {
  /** The files, as handles to wherever they lie; none where they are held nowhere. */
  readonly files: readonly Blob[];
  readonly where: Where | "given";
  /** Why they are not kept beyond the page. */
  readonly why: string;
}

/** Whom loading tells what. */
export interface Listener {
  readonly progress: (progress: Progress) => void;
  /** Loading waits until this has resolved. */
  readonly fit: (fit: Fit, where: Kept["where"]) => Promise<void>;
}

/** The engine cannot use the files; a load request has it say why. */
export class Refused extends Error {}

/** Feeds the engine with files that somebody gave. */
export async function give(engine: Opener, blobs: readonly Blob[], listener: Listener): Promise<Kept> {
  const parts = blobs.map((blob) => new GivenPart(blob));
  const files = await feed(engine, parts, new Meter(listener.progress), (fit) => listener.fit(fit, "given"));
  return { files, where: "given", why: "its files were given" };
}

/** Hands the files over, chunk by chunk; resolves to handles to them once all of it is with the engine. */
export async function feed(engine: Opener, parts: readonly Part[], meter: Meter, told: (fit: Fit) => Promise<void>): Promise<Blob[]> {
  const next = [0, 0];
  // What is there already is counted as it is read: reading it is what takes the time.
  const ready = parts.map((part) => part.size > 0 && part.there === part.size);
  meter.begin(parts.map(({ size }) => size), sum(parts.map(({ there }, file) => (ready[file] ? 0 : there))), sum(parts.map(({ there }) => there)));
  const step = async (file: number): Promise<boolean> => {
    const index = next[file] ?? 0;
    next[file] = index + 1;
    const bytes = await parts[file]?.take(index);
    if (!bytes) return false;
    if (ready[file]) meter.add(bytes.length);
    if (!engine.push(file, bytes)) throw new Refused();
    return true;
  };
  for (const file of parts.keys()) while (!engine.knows(file) && (await step(file)));
  const needs = engine.needs();
  if (needs === undefined) throw new Refused();
  const missing = sum(parts.map(({ size, there }) => size - there));
  const verdict = fit(JSON.parse(needs) as Needs, missing);
  await told(verdict);
  if (verdict.fits === "no") throw new LoupeError("memory", verdict.sentence);

  const work = parts.flatMap((part) => part.missing());
  const lane = async (): Promise<void> => {
    for (let task = work.shift(); task; task = work.shift()) await task();
  };
  const opening = parts.map(async (_, file) => {
    while (await step(file));
  });
  await Promise.all([...Array.from({ length: LANES }, lane), ...opening]);
  meter.end(parts.map(({ size }) => size));
  const files = await Promise.all(parts.map((part, file) => part.finish(engine.sha256(file) ?? "")));
  const held = files.filter((file) => file !== undefined);
  return held.length === files.length ? held : [];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0);
}
