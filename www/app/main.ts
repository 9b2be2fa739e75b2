// The page: one picture, one conversation, one model.

import { Loupe, LoupeError, type LoadOptions, type Seen } from "loupe-vlm";
import { describe } from "./about.js";
import { offerCamera } from "./camera.js";
import { addTurn, clearTurns, recallTurn } from "./conversation.js";
import { account, detail, offerDetail, setDetail, suit } from "./detail.js";
import { announce, byId, tell } from "./dom.js";
import { watchIntake } from "./intake.js";
import { historyOf, offerEarlier, type Look } from "./looks.js";
import { offerModels, type Choice } from "./models.js";
import { countRequests } from "./network.js";
import { keepPage } from "./offline.js";
import { offerRecord, showWays } from "./record.js";
import { GENERAL_QUESTIONS, offerSamples } from "./samples.js";
import { set, wishes } from "./settings.js";
import * as stage from "./stage.js";
import * as status from "./status.js";
import { fetchedInWords, layoutInWords } from "./words.js";

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
/** The model that is open. */
let model: Loupe | undefined;
/** The picture on the stage and what was said about it; the picture is shown to the next model too. */
let now: Look | undefined;
/** Whether the model has to be told what was said: it was said before it came, or to one that had to be started again. */
let untold = false;
/** The picture in front of the model, or on its way there; undefined when there is none. */
let sight: Promise<Seen | undefined> = Promise.resolve(undefined);
/** The picture whose cost an answer has told. */
let told: Seen | undefined;
/** Whether the page itself is kept in this browser, once that is known. */
let page: Promise<boolean> | undefined;
/** What the model was last opened with. */
let used: LoadOptions = wishes();
let looking: AbortController | undefined;
let answering: AbortController | undefined;

/** Looks at a picture, in place of the one before; what is under way is stopped. */
function take(file: File, questions: readonly string[] = GENERAL_QUESTIONS): void {
  begin({ file, questions, detail: detail(), seen: undefined, said: [] });
}

/** Puts a picture on the stage, with what was said about it. */
function begin(look: Look): void {
  stop();
  suggest(look.questions);
  tell(questionError, "");
  stage.clear();
  setDetail(look.detail);
  talkAbout(look);
  untold = look.said.length > 0;
  sight = see(look, (looking = new AbortController()));
}

/** Shows the conversation about a picture, and the earlier ones. */
function talkAbout(look: Look | undefined): void {
  now = look;
  clearTurns();
  for (const said of look?.said ?? []) recallTurn(said);
  const begun = (look?.said.length ?? 0) > 0;
  showWays(begun);
  afresh.hidden = !begun;
  offerEarlier(look, begin);
}

async function see(look: Look, mine: AbortController): Promise<Seen | undefined> {
  const { signal } = mine;
  try {
    const loupe = await opened.promise;
    signal.throwIfAborted();
    status.busy("Reading the picture");
    const onSliced = (layout: Seen["layout"]): void => stage.show(look.file, layout);
    look.seen = await loupe.see(look.file, { detail: look.detail, signal, onSliced });
    account(look.seen);
    announce(`The picture is ready: ${layoutInWords(look.seen.layout)}.`);
    return look.seen;
  } catch (error) {
    // A picture that was stopped for another one leaves the stage to that one.
    if (looking === mine) {
      stage.clear(signal.aborted ? "" : sentence(error));
      suggestions.hidden = true;
      talkAbout(undefined);
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
    const look = now;
    const answer = loupe.ask(text, { signal, history: look && untold ? historyOf(look) : undefined });
    for await (const piece of answer) turn.say(piece);
    const said = { question: text, answer: await answer, looked: seen === told ? undefined : seen?.timings };
    turn.finish(said);
    if (look !== now) return;
    [told, untold] = [seen, false];
    look?.said.push(said);
    showWays(true);
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

/** Another model takes the place of the one that is open or on its way; the picture is shown to it too. */
function change({ model, offline = false }: Choice): void {
  for (const name of ["text", "vision"] as const) set(name, undefined);
  // Reloading the page opens the same model again, and the address can be passed on.
  set("model", typeof model === "string" ? model : undefined);
  reopen({ ...wishes(), model, offline });
}

/** Leaves the model that is open, or on its way, for one that is opened with these options. */
function reopen(options: LoadOptions): void {
  stop();
  leave.abort();
  opened.promise.catch(() => undefined);
  opened.reject(leave.signal.reason);
  opened = Promise.withResolvers();
  leave = new AbortController();
  send.disabled = false;
  [model, told] = [undefined, undefined];
  tell(modelError, "");
  tell(questionError, "");
  byId("model", HTMLElement).replaceChildren();
  const shown = now;
  stage.clear();
  talkAbout(undefined);
  sight = Promise.resolve(undefined);
  used = options;
  open(options, leave.signal).catch(giveUp);
  if (shown) take(shown.file, shown.questions);
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
    untold = true;
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
  const kept = (page ??= keepPage(loupe.engine.artefact));
  void kept.then((kept) => tell(byId("offline", HTMLElement), kept ? "The page itself is kept in this browser, and opens without a network" : ""));
  signal.addEventListener("abort", countRequests(loupe, kept));
  model = loupe;
  suit(loupe.model);
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
  talkAbout(now && { ...now, said: [] });
  untold = false;
  question.focus();
});
byId("another", HTMLButtonElement).addEventListener("click", () => byId("choose", HTMLInputElement).click());

watchIntake(take, (files) => change({ model: files }), stage.clear);
offerCamera(take, stage.clear);
offerModels({
  open: change,
  device: (device) => {
    set("device", device);
    reopen({ ...used, device });
  },
  opened: () => model,
});
offerDetail(() => now && take(now.file, now.questions));
offerRecord(() => (model && now ? { loupe: model, look: now } : undefined));
cancel.addEventListener("click", () => change({ model: undefined }));
const samples = offerSamples(take);
open(used, leave.signal).catch(giveUp);
