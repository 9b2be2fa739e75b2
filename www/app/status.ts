// One line that says what is being done, with a bar.

import { byId } from "./dom.js";

const place = byId("loading", HTMLElement);
const words = byId("status", HTMLElement);
const bar = byId("loading-bar", HTMLProgressElement);

/** Shows what is being done; without `max` nobody knows for how long. */
export function busy(text: string, value = 0, max = 0): void {
  place.hidden = false;
  words.textContent = text;
  if (max > 0) [bar.max, bar.value] = [max, value];
  else bar.removeAttribute("value");
}

/** Nothing is being done. */
export function idle(): void {
  place.hidden = true;
}
