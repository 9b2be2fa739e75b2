// The ways in: drop, paste, choose, photograph.

import { byId } from "./dom.js";
import { modelIn } from "./models.js";

/** Calls `take` with every picture file that comes in, `open` with a model's files, and `refuse` with a sentence for what is no file. */
export function watchIntake(take: (file: File) => void, open: (files: File[]) => void, refuse: (message: string) => void): void {
  for (const id of ["choose", "photograph"]) {
    const input = byId(id, HTMLInputElement);
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      // Emptied, so that choosing the same file again is a change.
      input.value = "";
      if (file) take(file);
    });
  }

  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return; // Text goes where text goes.
    event.preventDefault();
    take(file);
  });

  const curtain = byId("curtain", HTMLElement);
  document.addEventListener("dragover", (event) => {
    if (isTextForText(event)) return;
    event.preventDefault();
    curtain.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    // Leaving one element for another within the page is no leaving.
    if (event.relatedTarget === null) curtain.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (isTextForText(event)) return;
    event.preventDefault();
    curtain.hidden = true;
    const file = event.dataTransfer?.files[0];
    const model = modelIn(event.dataTransfer);
    if (model) void model.then(open, () => refuse("The folder could not be read; choose the model's two files instead."));
    else if (file) take(file);
    else refuse("That was not a file: drop a picture file, or save the picture first and choose it.");
  });
}

/** Words dragged into the question are no picture gone astray. */
function isTextForText({ dataTransfer, target }: DragEvent): boolean {
  return target instanceof HTMLInputElement && !dataTransfer?.types.includes("Files");
}
