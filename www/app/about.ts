// What was loaded, and what runs it.

import type { Loupe } from "loupe-vlm";
import { byId } from "./dom.js";
import { deviceInWords, engineInWords, keptInWords, modelInWords } from "./words.js";

/** Says below everything what was loaded and what runs it. */
export function describe(loupe: Loupe): void {
  const { engine, kept, model } = loupe;
  const lines = [modelInWords(model), engineInWords(engine), deviceInWords(engine.device), keptInWords(kept)].map((words) => {
    const line = document.createElement("p");
    line.textContent = words;
    return line;
  });
  byId("model", HTMLElement).replaceChildren(...lines.filter(({ textContent }) => textContent !== ""));
}
