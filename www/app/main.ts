// The page: one picture, one conversation, one model.

import { builtIn, Loupe, LoupeError, type Artefact, type Device, type LoadOptions, type Seen } from "loupe-vlm";
import { offerCamera } from "./camera.js";
import { addTurn, clearTurns } from "./conversation.js";
import { announce, byId, tell } from "./dom.js";
import { watchIntake } from "./intake.js";
import { offerModels, type Choice } from "./models.js";
import { countRequests } from "./network.js";
import { GENERAL_QUESTIONS, offerSamples } from "./samples.js";
import * as stage from "./stage.js";
import * as status from "./status.js";
import { deviceInWords, engineInWords, fetchedInWords, keptInWords, layoutInWords, modelInWords } from "./words.js";

const modelError = byId("model-error", HTMLElement);
const suggestions = byId("suggestions", HTMLUListElement);
const question = byId("question", HTMLInputElement);
const questionError = byId("question-error", HTMLElement);
const send = byId("send", HTMLButtonElement);
const afresh = byId("afresh", HTMLButtonElement);
const cancel = byId("cancel", HTMLButtonElement);
const fit = byId("fit", HTMLElement);

/** Settled once the model is open or another is chosen in its place; never, when it cannot be opened. */
let opened = Promise.withResolvers<Loupe>();
/** Ends the opening of the model, or the model. */
let leave = new AbortController();
/** The picture on the stage, to be shown to the next model too. */
let picture: File | undefined;
/** The picture in front of the model, or on its way there; undefined when there is none. */
let sight: Promise<Seen | undefined> = Promise.resolve(undefined);
/** The picture whose cost an answer has told. */
let told: Seen | undefined;
let looking: AbortController | undefined;
let answering: AbortController | undefined;

/** Looks at a picture, in place of the one before; what is under way is stopped. */
function take(file: File, questions: readonly string[] = GENERAL_QUESTIONS): void {
  stop();
  clearTurns();
  suggest(questions);
  tell(questionError, "");
  stage.clear();
  afresh.hidden = true;
  picture = file;
  sight = look(file, (looking = new AbortController()));
}

async function look(file: File, mine: AbortController): Promise<Seen | undefined> {
  const { signal } = mine;
  try {
    const loupe = await opened.promise;
    signal.throwIfAborted();
    status.busy("Reading the picture");
    const seen = await loupe.see(file, { signal, onSliced: (layout) => stage.show(file, layout) });
    announce(`The picture is ready: ${layoutInWords(seen.layout)}.`);
    return seen;
  } catch (error) {
    // A picture that was stopped for another one leaves the stage to that one.
    if (looking === mine) {
      stage.clear(signal.aborted ? "" : sentence(error));
      suggestions.hidden = true;
      picture = undefined;
    }
    return undefined;
  } finally {
    if (looking === mine) {
      looking = undefined;
      status.idle();
    }
  }
}

/** Asks; while a picture is still being looked at, the question waits for it. */
async function ask(text: string): Promise<void> {
  answering?.abort();
  const mine = (answering = new AbortController());
  const { signal } = mine;
  const turn = addTurn(text);
  send.textContent = "Stop";
  question.value = "";
  tell(questionError, "");
  try {
    const loupe = await opened.promise;
    const seen = await sight;
    const answer = loupe.ask(text, { signal });
    for await (const piece of answer) turn.say(piece);
    turn.finish(await answer, seen === told ? undefined : seen?.timings);
    told = seen;
    afresh.hidden = false;
  } catch (error) {
    // The question goes back to where it can be mended, or asked once more.
    turn.remove();
    question.value = text;
    if (!signal.aborted) tell(questionError, sentence(error));
  } finally {
    if (answering === mine) {
      answering = undefined;
      send.textContent = "Ask";
      status.idle();
    }
  }
}

function stop(): void {
  looking?.abort();
  answering?.abort();
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

/** There is no model to ask. */
function giveUp(error: unknown): void {
  status.idle();
  send.disabled = true;
  tell(questionError, "");
  tell(modelError, sentence(error));
}

function sentence(error: unknown): string {
  if (error instanceof LoupeError) return error.message;
  console.error(error);
  return "Something in this page went wrong; reload it, and report what the browser's console says.";
}

/**
 * What the page's address asks for: `?model=…` a model by name or address, `?text=…&vision=…` by two addresses;
 * `?hub=…` where names are looked up; `?engine=…&threads=…` how to run it, `?device=…` on what.
 */
function wishes(): LoadOptions {
  const { searchParams } = new URL(location.href);
  const [text, vision, hub] = ["text", "vision", "hub"].map((name) => searchParams.get(name) ?? undefined);
  const pair = text || vision ? { text: text ?? builtIn.text, vision: vision ?? builtIn.vision } : undefined;
  const threads = searchParams.get("threads");
  // Loupe itself says what is wrong with a name that is no artefact's.
  const engine = (searchParams.get("engine") ?? undefined) as Artefact | undefined;
  const device = (searchParams.get("device") ?? undefined) as Device | undefined;
  return { model: searchParams.get("model") ?? pair, hub, engine, device, threads: threads === null ? undefined : Number(threads) };
}

/** Says below everything what was loaded and what runs it. */
function describe(loupe: Loupe): void {
  const { engine, kept, model } = loupe;
  const lines = [modelInWords(model), engineInWords(engine), deviceInWords(engine.device), keptInWords(kept)].map((words) => {
    const line = document.createElement("p");
    line.textContent = words;
    return line;
  });
  byId("model", HTMLElement).replaceChildren(...lines.filter(({ textContent }) => textContent !== ""));
}

/** Another model takes the place of the one that is open or on its way; the picture is shown to it too. */
function change({ model, offline = false }: Choice): void {
  const address = new URL(location.href);
  for (const name of ["model", "text", "vision"]) address.searchParams.delete(name);
  // Reloading the page opens the same model again, and the address can be passed on.
  if (typeof model === "string") address.searchParams.set("model", model);
  history.replaceState(null, "", address);
  stop();
  clearTurns();
  leave.abort();
  opened.promise.catch(() => undefined);
  opened.reject(leave.signal.reason);
  opened = Promise.withResolvers();
  leave = new AbortController();
  afresh.hidden = true;
  send.disabled = false;
  told = undefined;
  tell(modelError, "");
  tell(questionError, "");
  byId("model", HTMLElement).replaceChildren();
  const shown = picture;
  stage.clear();
  sight = Promise.resolve(undefined);
  open({ ...wishes(), model, offline }, leave.signal).catch(giveUp);
  if (shown) take(shown);
}

async function open(options: LoadOptions, signal: AbortSignal): Promise<void> {
  const mine = opened;
  document.body.dataset["model"] = options.model === undefined ? "built-in" : "other";
  cancel.hidden = options.model === undefined;
  status.busy("Fetching the model");
  try {
    const loupe = await Loupe.load({
      ...options,
      signal,
      onProgress: (progress) => status.busy(fetchedInWords(progress), progress.loaded, progress.total),
      // The built-in model fits wherever the page does.
      onFit: ({ sentence }) => tell(fit, options.model === undefined ? "" : sentence),
    });
    signal.addEventListener("abort", () => loupe.close());
    await watch(loupe, signal);
    mine.resolve(loupe);
  } catch (error) {
    // Whoever chose another model has seen to everything.
    if (mine === opened) throw error;
  } finally {
    if (mine === opened) {
      cancel.hidden = true;
      tell(fit, "");
    }
  }
}

/** Shows what the model does, from now on until another takes its place. */
async function watch(loupe: Loupe, signal: AbortSignal): Promise<void> {
  loupe.on("progress", ({ phase, done, total }) => {
    if (phase === "encode") stage.light(done);
    const doing = { load: "Opening the model", encode: "Looking at the picture", prefill: "Reading the question" }[phase];
    status.busy(`${doing}, ${done} of ${total}`, done, total);
  });
  loupe.on("restarting", (error) => {
    status.busy("Starting again");
    tell(questionError, error.message);
  });
  loupe.on("restarted", ({ picture }) => {
    status.idle();
    told = undefined;
    describe(loupe);
    if (!picture) sight = Promise.resolve(undefined);
  });
  loupe.on("moving", () => status.busy("The GPU failed; opening the model again"));
  loupe.on("moved", () => {
    status.idle();
    describe(loupe);
  });
  loupe.on("ended", giveUp);
  await Promise.all([samples, document.fonts.ready]);
  signal.throwIfAborted();
  signal.addEventListener("abort", countRequests(loupe));
  describe(loupe);
  status.idle();
}

byId("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  if (answering) answering.abort();
  else void ask(question.value);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});
afresh.addEventListener("click", () => {
  void opened.promise.then((loupe) => loupe.forget());
  clearTurns();
  afresh.hidden = true;
  question.focus();
});
byId("another", HTMLButtonElement).addEventListener("click", () => byId("choose", HTMLInputElement).click());

watchIntake(take, (files) => change({ model: files }), stage.clear);
offerCamera(take, stage.clear);
offerModels(change);
cancel.addEventListener("click", () => change({ model: undefined }));
const samples = offerSamples(take);
open(wishes(), leave.signal).catch(giveUp);
