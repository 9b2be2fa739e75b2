// The page: one picture, one conversation, one model.

import { builtIn, Loupe, LoupeError, type LoadOptions, type Seen } from "loupe-vlm";
import { addTurn, clearTurns } from "./conversation.js";
import { byId, tell } from "./dom.js";
import { watchIntake } from "./intake.js";
import { countRequests } from "./network.js";
import { GENERAL_QUESTIONS, offerSamples } from "./samples.js";
import * as stage from "./stage.js";
import { megabytes } from "./words.js";

const welcome = byId("welcome", HTMLElement);
const loading = byId("loading", HTMLElement);
const loadingBar = byId("loading-bar", HTMLProgressElement);
const status = byId("status", HTMLElement);
const modelError = byId("model-error", HTMLElement);
const suggestions = byId("suggestions", HTMLUListElement);
const composer = byId("composer", HTMLFormElement);
const question = byId("question", HTMLInputElement);
const questionError = byId("question-error", HTMLElement);
const send = byId("send", HTMLButtonElement);
const afresh = byId("afresh", HTMLButtonElement);

/** Resolves once the model is open; never, when it cannot be. */
const opened = Promise.withResolvers<Loupe>();
/** Stops what is under way: looking, or answering. */
let underWay: AbortController | undefined;
/** What looking at the picture found, until an answer has shown it. */
let looking: Promise<Seen | undefined> = Promise.resolve(undefined);
let shown = true;

function progress(text: string, value?: number, max?: number): void {
  loading.hidden = false;
  status.textContent = text;
  if (value === undefined || !max) loadingBar.removeAttribute("value");
  else [loadingBar.max, loadingBar.value] = [max, value];
}

/** Runs one thing that can be stopped; whatever ran before is stopped. */
async function during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  underWay?.abort();
  const mine = (underWay = new AbortController());
  send.textContent = "Stop";
  try {
    return await work(mine.signal);
  } finally {
    if (underWay === mine) {
      underWay = undefined;
      send.textContent = "Ask";
      loading.hidden = true;
    }
  }
}

function take(file: File, questions: readonly string[] = GENERAL_QUESTIONS): void {
  clearTurns();
  suggest(questions);
  tell(questionError, "");
  stage.reading();
  progress("Reading the picture");
  looking = during(async (signal) => {
    const loupe = await opened.promise;
    const deaf = loupe.on("sliced", (layout) => stage.show(file, layout));
    try {
      const seen = await loupe.see(file, { signal });
      shown = false;
      return seen;
    } catch (error) {
      if (!signal.aborted) stage.fail(sentence(error));
      else if (underWay === undefined || underWay.signal === signal) stage.clear();
      return undefined;
    } finally {
      deaf();
    }
  });
}

async function ask(text: string): Promise<void> {
  const seen = await looking;
  const loupe = await opened.promise;
  tell(questionError, "");
  welcome.hidden = true;
  const turn = addTurn(text);
  question.value = "";
  await during(async (signal) => {
    try {
      const answering = loupe.ask(text, { signal });
      for await (const piece of answering) turn.say(piece);
      const answer = await answering;
      turn.finish(answer, shown ? undefined : seen?.timings);
      shown = true;
      afresh.hidden = false;
    } catch (error) {
      if (error instanceof LoupeError && error.kind === "usage") {
        // The question is at fault: it goes back to where it can be mended.
        turn.remove();
        question.value = text;
        tell(questionError, error.message);
      } else turn.fail(sentence(error));
    }
  });
}

function suggest(questions: readonly string[]): void {
  const items = questions.map((text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => void ask(text));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  suggestions.replaceChildren(...items);
  suggestions.hidden = false;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `?text=…&vision=…` names another model, hosted beside the page. */
function model(): Pick<LoadOptions, "model"> {
  const { searchParams } = new URL(location.href);
  const text = searchParams.get("text");
  const vision = searchParams.get("vision");
  return { model: { text: text ?? builtIn.text, vision: vision ?? builtIn.vision } };
}

async function start(): Promise<void> {
  watchIntake(take, stage.fail);
  const samples = offerSamples(take);
  const loupe = await Loupe.load({
    ...model(),
    onProgress: ({ loaded, total }) => {
      const of = total > 0 ? ` of ${megabytes(total)}` : "";
      progress(`Fetching the model, ${megabytes(loaded)}${of} MB`, loaded, total);
    },
  });
  loupe.on("progress", ({ phase, done, total }) => {
    if (phase === "encode") stage.light(done);
    const doing = { load: "Opening the model", encode: "Looking at the picture", prefill: "Reading the question" }[phase];
    progress(`${doing}, ${done} of ${total}`, done, total);
  });
  loupe.on("restarting", () => progress("Starting again"));
  loupe.on("restarted", ({ picture }) => {
    loading.hidden = true;
    clearTurns();
    if (!picture) stage.clear();
  });
  await Promise.all([samples, document.fonts.ready]);
  countRequests(loupe);
  loading.hidden = true;
  opened.resolve(loupe);
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  if (underWay) underWay.abort();
  else void ask(question.value);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") underWay?.abort();
});
afresh.addEventListener("click", () => {
  void opened.promise.then((loupe) => loupe.forget());
  clearTurns();
  afresh.hidden = true;
  question.focus();
});
byId("another", HTMLButtonElement).addEventListener("click", () => byId("choose", HTMLInputElement).click());

start().catch((error: unknown) => {
  loading.hidden = true;
  send.disabled = true;
  tell(modelError, sentence(error));
});
