// How closely to look: a slider, and what it costs before and after a picture was looked at.

import type { Detail, Layout, ModelInfo, SeeTimings } from "loupe-vlm";
import { byId } from "./dom.js";
import { detailWished, set } from "./settings.js";
import { count, duration } from "./words.js";

const place = byId("detail-place", HTMLElement);
const slider = byId("detail", HTMLInputElement);
const words = byId("detail-words", HTMLElement);
const cost = byId("detail-cost", HTMLElement);

/** The model that looks, once it is open. */
let model: ModelInfo | undefined;
let wanted: Detail | undefined = detailWished();

/** The detail that pictures are looked at with. */
export function detail(): Detail | undefined {
  return wanted;
}

/** Takes the detail of a picture that is gone back to. */
export function setDetail(detail: Detail | undefined): void {
  wanted = detail;
  show();
}

/** Calls `changed` when another detail is wanted. */
export function offerDetail(changed: () => void): void {
  slider.addEventListener("input", () => {
    wanted = meant();
    show();
  });
  slider.addEventListener("change", () => {
    const most = wanted === undefined ? undefined : String((wanted as { maxSlices: number }).maxSlices);
    set("detail", most === "0" ? "low" : most);
    changed();
  });
}

/** Offers what this model can do; nothing where it sees every picture whole. */
export function suit(opened: ModelInfo): void {
  model = opened;
  slider.max = String(steps().length - 1);
  place.hidden = model.maxSlices < 2;
  show();
}

/** Tells what looking at the picture took; without a picture, what it will take. */
export function account(seen?: { readonly layout: Layout; readonly timings: SeeTimings }): void {
  if (!model) return;
  const of = `of ${count(model.context, "token")}`;
  if (!seen) {
    const views = slices() === 0 ? 1 : slices() + 1;
    cost.textContent = `Will take ${slices() === 0 ? "about" : "at most about"} ${(views * model.tokensPerView).toLocaleString("en")} ${of}`;
    return;
  }
  const { decodeMs, sliceMs, encodeMs } = seen.timings;
  const views = seen.layout.columns * seen.layout.rows + 1;
  const looked = `${count(views, "view")} in ${duration(decodeMs + sliceMs + encodeMs)}`;
  cost.textContent = `Took ${seen.layout.tokens.toLocaleString("en")} ${of}, ${looked}`;
}

/** The most slices at each step of the slider: a grid of one slice is the whole picture. */
function steps(): number[] {
  const most = model?.maxSlices ?? 0;
  return [0, ...Array.from({ length: Math.max(0, most - 1) }, (_, i) => i + 2)];
}

/** The detail at the slider's place; the last is the model's own. */
function meant(): Detail | undefined {
  const most = steps()[slider.valueAsNumber] ?? 0;
  return most === model?.maxSlices ? undefined : { maxSlices: most };
}

/** The most slices that are wanted. */
function slices(): number {
  const most = model?.maxSlices ?? 0;
  if (wanted === "low") return 0;
  const fewer = typeof wanted === "object" ? Math.min(wanted.maxSlices, most) : most;
  return fewer < 2 ? 0 : fewer;
}

function show(): void {
  if (!model) return;
  slider.value = String(steps().indexOf(slices()));
  words.textContent = slices() === 0 ? "the picture as a whole" : `an overview and up to ${slices()} slices`;
  slider.setAttribute("aria-valuetext", words.textContent);
  account();
}
