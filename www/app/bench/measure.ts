// Measures the built-in model by the package's public interface alone: what any page could measure.

import { Loupe, type Device, type EngineInfo, type ModelInfo } from "loupe-vlm";

/** How often each part is measured; the first run of all warms up and is not counted. */
export const LOADS = 3;
export const TURNS = 5;
/** Tokens said in an answer, at most. */
const TOKENS = 64;
const QUESTION = "What colour is the triangle?";
/** Hot enough that words are drawn nearly at random: the likeliest answer is one word, too short to be timed. */
const TEMPERATURE = 100;

/** What was measured, and its unit. Every number of `samples` is one run's. */
export interface Measure {
  readonly name: "load" | "look" | "read" | "answer" | "first";
  readonly unit: "ms" | "tokens/s";
  readonly samples: readonly number[];
}

/** Everything that was found. */
export interface Report {
  readonly version: 1;
  readonly date: string;
  readonly browser: string;
  readonly cores: number;
  readonly isolated: boolean;
  readonly engine: EngineInfo;
  readonly model: ModelInfo;
  /** Of the picture and the prompt. */
  readonly views: number;
  readonly promptTokens: number;
  readonly measures: readonly Measure[];
}

/** Who hears how far it has come: what is done now, and the share of all that is done. */
export type Listener = (doing: string, done: number) => void;

/** Measures it all; rejects with the reason of `signal` when that stops it. */
export async function measure(device: Device, picture: Blob, signal: AbortSignal, heard: Listener): Promise<Report> {
  const all = LOADS + 1 + TURNS;
  let step = 0;
  const doing = (words: string): void => heard(words, step++ / all);
  const load: number[] = [];
  let loupe: Loupe | undefined;
  try {
    for (let run = 0; run <= LOADS; run += 1) {
      doing(run === 0 ? "Loading once, to warm up" : `Loading, ${run} of ${LOADS}`);
      loupe?.close();
      const start = performance.now();
      loupe = await Loupe.load({ device, signal });
      if (run > 0) load.push(performance.now() - start);
    }
    if (!loupe) throw new Error("There was nothing to load.");
    const [look, read, answer, first]: [number[], number[], number[], number[]] = [[], [], [], []];
    let [views, promptTokens] = [0, 0];
    for (let run = 0; run < TURNS; run += 1) {
      doing(`Looking, reading and answering, ${run + 1} of ${TURNS}`);
      const seen = await loupe.see(picture, { signal });
      const { usage } = await loupe.ask(QUESTION, { maxTokens: TOKENS, temperature: TEMPERATURE, seed: run, signal });
      signal.throwIfAborted();
      const { decodeMs, sliceMs, encodeMs } = seen.timings;
      views = seen.layout.columns * seen.layout.rows + 1;
      promptTokens = usage.promptTokens;
      look.push(decodeMs + sliceMs + encodeMs);
      read.push((usage.promptTokens - usage.cachedTokens) / (usage.prefillMs / 1000));
      first.push(usage.firstTokenMs);
      if (usage.decodeMs > 0) answer.push(usage.answerTokens / (usage.decodeMs / 1000));
    }
    const measures: Measure[] = [
      { name: "load", unit: "ms", samples: load },
      { name: "look", unit: "ms", samples: look },
      { name: "read", unit: "tokens/s", samples: read },
      { name: "first", unit: "ms", samples: first },
      { name: "answer", unit: "tokens/s", samples: answer },
    ];
    const { engine, model } = loupe;
    const { cores, isolated } = Loupe.probe();
    return { version: 1, date: new Date().toISOString(), browser: navigator.userAgent, cores, isolated, engine, model, views, promptTokens, measures };
  } finally {
    loupe?.close();
  }
}

/** The middle one, or the mean of the middle two. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  return ((low ?? NaN) + (high ?? NaN)) / 2;
}
