// Turns of the conversation: the question, the answer as it comes, and what it cost.

import type { Answer, SeeTimings } from "loupe-vlm";
import { announce, byId } from "./dom.js";
import type { Said } from "./looks.js";
import { count, duration } from "./words.js";

const turns = byId("turns", HTMLOListElement);
const template = byId("turn", HTMLTemplateElement);

/** One question and its answer. */
export interface Turn {
  /** Appends to the answer. */
  say(text: string): void;
  /** Completes it. */
  finish(said: Said): void;
  /** Takes the turn back. */
  remove(): void;
}

/** Adds a turn that waits for its answer. */
export function addTurn(question: string): Turn {
  const turn = template.content.cloneNode(true) as DocumentFragment;
  const item = part(turn, ".turn");
  const answer = part(turn, ".answer");
  part(turn, ".question").textContent = question;
  answer.classList.add("busy");
  turns.append(turn);
  item.scrollIntoView({ block: "nearest" });

  return {
    say: (text) => answer.append(text),
    finish(said) {
      complete(item, said);
      // Read aloud once and whole: spelt out piece by piece it could not be followed.
      announce(answer.textContent ?? "");
      item.scrollIntoView({ block: "nearest" });
    },
    remove: () => item.remove(),
  };
}

/** Adds a turn of a conversation that is gone back to. */
export function recallTurn(said: Said): void {
  const turn = template.content.cloneNode(true) as DocumentFragment;
  part(turn, ".question").textContent = said.question;
  complete(part(turn, ".turn"), said);
  turns.append(turn);
}

/** Puts a whole answer into its turn, and what it cost. */
function complete(item: HTMLElement, { answer, looked }: Said): void {
  const place = part(item, ".answer");
  place.classList.remove("busy");
  place.textContent = answer.text;
  if (answer.finish === "abort") place.append(answer.text ? " (stopped)" : "Stopped.");
  if (answer.finish === "length") place.append(" (cut off at the length limit)");
  account(item, answer, looked);
}

/** Begins a new conversation. */
export function clearTurns(): void {
  turns.replaceChildren();
}

/** Writes what each stage took, and draws the stages as one bar. */
function account(item: HTMLElement, { usage }: Answer, looked: SeeTimings | undefined): void {
  const looking = looked ? looked.decodeMs + looked.sliceMs + looked.encodeMs : 0;
  const stages = [
    {
      kind: "look",
      name: "Looking",
      ms: looking,
      detail: looked
        ? `decode ${duration(looked.decodeMs)}, slice ${duration(looked.sliceMs)}, encode ${duration(looked.encodeMs)}`
        : "not again: the picture is remembered",
    },
    {
      kind: "read",
      name: "Reading",
      ms: usage.prefillMs,
      detail: `${count(usage.promptTokens, "token")}, ${usage.pictureTokens} of pictures, ${usage.cachedTokens} remembered`,
    },
    {
      kind: "say",
      name: "Answering",
      ms: usage.decodeMs,
      detail: `${count(usage.answerTokens, "token")}, the first after ${duration(usage.firstTokenMs)}`,
    },
  ];
  const bar = part(item, ".bar");
  const list = part(item, ".stages");
  for (const { kind, name, ms, detail } of stages) {
    const stretch = make("span", kind);
    stretch.style.flexGrow = String(ms);
    if (ms > 0) bar.append(stretch);

    const term = make("dt", "");
    term.append(make("span", kind), ms > 0 ? `${name} ${duration(ms)}` : name);
    const group = make("div", "");
    group.append(term, make("dd", "", detail));
    list.append(group);
  }
  part(item, ".cost").hidden = false;
}

function make(tag: string, className: string, text = ""): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function part(parent: ParentNode, selector: string): HTMLElement {
  const element = parent.querySelector<HTMLElement>(selector);
  if (!element) throw new Error(`A turn lacks its ${selector}.`);
  return element;
}
