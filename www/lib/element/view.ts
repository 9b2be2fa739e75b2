// What the element is made of: built piece by piece and never from HTML text, so that there is nothing to escape.

import type { Words } from "./words.js";

/** The places of the element's shadow that change. */
export interface View {
  readonly root: DocumentFragment;
  readonly dropzone: HTMLElement;
  readonly figure: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly overlay: SVGSVGElement;
  readonly caption: HTMLElement;
  readonly picture: HTMLSlotElement;
  readonly files: HTMLInputElement;
  readonly choose: HTMLButtonElement;
  readonly another: HTMLButtonElement;
  readonly answer: HTMLSlotElement;
  readonly turns: HTMLOListElement;
  readonly status: HTMLElement;
  readonly doing: HTMLElement;
  readonly progress: HTMLProgressElement;
  readonly error: HTMLElement;
  readonly form: HTMLFormElement;
  readonly field: HTMLSlotElement;
  readonly input: HTMLInputElement;
  readonly send: HTMLButtonElement;
  readonly meter: HTMLElement;
  readonly spoken: HTMLElement;
}

type Attributes = Readonly<Record<string, string>>;

/** An element with attributes and what is in it. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

/** Builds the element's shadow. */
export function build(words: Words): View {
  const files = make("input", { type: "file", accept: "image/*", tabindex: "-1", hidden: "" });
  const choose = make("button", { type: "button", part: "button choose" }, words.choose);
  const dropzone = make(
    "div",
    { class: "dropzone", part: "dropzone" },
    make("p", { class: "lead" }, words.drop),
    make("p", {}, words.orPaste),
    choose,
  );

  const canvas = make("canvas", { role: "img", hidden: "" });
  const overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ part: "overlay", preserveAspectRatio: "none", "aria-hidden": "true" })) overlay.setAttribute(key, value);
  const picture = make("slot", { name: "picture" }, make("slot"));
  const frame = make("div", { class: "frame", part: "frame" }, picture, canvas, overlay);
  const caption = make("span", { part: "caption" });
  const another = make("button", { type: "button", class: "link", part: "another" }, words.another);
  const figure = make("figure", { part: "picture", hidden: "" }, frame, make("figcaption", {}, caption, another));

  const turns = make("ol", { class: "turns" });
  const answer = make("slot", { name: "answer" }, turns);
  const doing = make("span", { id: "doing" });
  const progress = make("progress", { part: "progress", "aria-labelledby": "doing" });
  const status = make("div", { class: "status", part: "status", hidden: "" }, doing, progress);
  const error = make("p", { class: "error", part: "error", role: "alert" });
  const input = make("input", { type: "text", part: "input", enterkeyhint: "send", autocomplete: "off", "aria-label": words.question, placeholder: words.placeholder });
  const field = make("slot", { name: "input" }, input);
  const send = make("button", { type: "submit", part: "button ask", class: "main" }, words.ask);
  const form = make("form", {}, field, send);
  const meter = make("p", { class: "meter", part: "meter" });
  const spoken = make("p", { class: "unseen", role: "status" });

  const root = document.createDocumentFragment();
  const stage = make("div", { class: "stage" }, dropzone, figure, files);
  const talk = make("div", { class: "talk" }, answer, status, error, form, meter, spoken);
  root.append(make("div", { class: "desk", part: "desk" }, stage, talk));
  return { root, dropzone, figure, canvas, overlay, caption, picture, files, choose, another, answer, turns, status, doing, progress, error, form, field, input, send, meter, spoken };
}

/** Shows `text` in `place`, unless it is there: what is written anew is read aloud anew. */
export function tell(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}
