// All that the element says, so that a page can have it said in another language.

import type { DeskState } from "../desk.js";
import type { Answer, Layout } from "../protocol.gen.js";

/** What the element says; `element.words` takes any part of it in another language. */
export interface Words {
  readonly drop: string;
  readonly orPaste: string;
  readonly choose: string;
  readonly another: string;
  /** Names the question's field. */
  readonly question: string;
  readonly placeholder: string;
  readonly ask: string;
  readonly stop: string;
  /** Stands after an answer that was stopped, or cut off at the most tokens it may have. */
  readonly stopped: string;
  readonly cutOff: string;
  readonly noFile: string;
  /** Names the picture to those who do not see it. */
  readonly picture: (name: string) => string;
  /** How the picture was cut. */
  readonly layout: (layout: Layout) => string;
  /** What is being done. */
  readonly doing: (status: DeskState["status"], progress: DeskState["progress"]) => string;
  /** What an answer cost, and how often Loupe asked the network since its model was loaded. */
  readonly cost: (answer: Answer, requests: number) => string;
}

export const ENGLISH: Words = {
  drop: "Drop a picture here",
  orPaste: "or paste one, or",
  choose: "Choose a picture",
  another: "Another picture",
  question: "Your question",
  placeholder: "Ask about the picture",
  ask: "Ask",
  stop: "Stop",
  stopped: "(stopped)",
  cutOff: "(cut off at the length limit)",
  noFile: "That was not a file: drop a picture file, or save the picture first and choose it.",
  picture: (name) => (name === "" ? "The picture you gave" : `The picture ${name}`),
  layout: ({ width, height, columns, rows }) => {
    const cut = columns * rows > 0 ? `cut into ${columns} × ${rows} slices and an overview` : "seen whole";
    return `${width.toLocaleString("en")} × ${height.toLocaleString("en")}, ${cut}`;
  },
  doing: (status, progress) => {
    if (progress?.phase === "fetch") return `Fetching the model, ${megabytes(progress.done)} of ${megabytes(progress.total)} MB`;
    const of = progress ? `, ${progress.done} of ${progress.total}` : "";
    if (status === "moving") return `The GPU failed; opening the model again${of}`;
    if (status === "loading") return progress ? `Opening the model${of}` : "Fetching the model";
    if (status === "looking") return `Looking at the picture${of}`;
    return progress?.phase === "prefill" ? `Reading the question${of}` : "Answering";
  },
  cost: ({ usage }, requests) => {
    const [read, said] = [count(usage.promptTokens - usage.cachedTokens, "token"), count(usage.answerTokens, "token")];
    const time = `Read ${read} in ${duration(usage.prefillMs)}, said ${said} in ${duration(usage.decodeMs)}`;
    return `${time}. On this machine: ${count(requests, "request")} since the model was loaded.`;
  },
};

function count(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function duration(ms: number): string {
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
