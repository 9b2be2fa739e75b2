// The pictures of this visit and what was said about each. They are in this tab's memory alone, and gone with it.

import type { Answer, Detail, Exchange, Seen, SeeTimings } from "loupe-vlm";
import { byId } from "./dom.js";
import { count } from "./words.js";

/** A question, its answer, and what looking cost where this was the first answer since. */
export interface Said {
  readonly question: string;
  readonly answer: Answer;
  readonly looked: SeeTimings | undefined;
}

/** A picture that was looked at, and the conversation about it. */
export interface Look {
  readonly file: File;
  readonly detail: Detail | undefined;
  /** What it may be asked. */
  readonly questions: readonly string[];
  seen: Seen | undefined;
  said: Said[];
}

/** More would be many pictures to hold in memory. */
const MOST = 12;
/** Sides of a thumbnail, in pixels. */
const THUMBNAIL = { width: 176, height: 132 };

const place = byId("earlier-place", HTMLElement);
const list = byId("earlier", HTMLUListElement);
let looks: Look[] = [];

/** The conversation of `look`, as the model is told it. */
export function historyOf({ said }: Look): Exchange[] {
  // A question that was stopped before a word was said was not asked.
  const asked = said.filter(({ answer }) => answer.text !== "");
  return asked.map(({ question, answer }) => ({ pictures: 1, question, answer: answer.text }));
}

/** Offers all earlier conversations but that of `now`; `back` hears which one is gone back to. */
export function offerEarlier(now: Look | undefined, back: (look: Look) => void): void {
  if (now && !looks.includes(now)) looks.unshift(now);
  // What nobody asked about is not worth going back to.
  looks = looks.filter((look) => look === now || look.said.length > 0).slice(0, MOST);
  const others = looks.filter((look) => look !== now);
  list.replaceChildren(...others.map((look) => item(look, back)));
  place.hidden = others.length === 0;
}

function item(look: Look, back: (look: Look) => void): HTMLLIElement {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, THUMBNAIL);
  void draw(canvas, look.file);
  const words = document.createElement("span");
  words.textContent = count(look.said.length, "question");
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `${look.file.name || "A picture"}, ${words.textContent}`);
  button.append(canvas, words);
  button.addEventListener("click", () => back(look));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

/** Draws the middle of a picture, as large as fits. */
async function draw(canvas: HTMLCanvasElement, file: File): Promise<void> {
  const bitmap = await createImageBitmap(file).catch(() => undefined);
  if (!bitmap) return;
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const context = canvas.getContext("2d");
  if (context) context.imageSmoothingQuality = "high";
  context?.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  bitmap.close();
}
