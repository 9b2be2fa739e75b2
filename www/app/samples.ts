// The sample pictures, each with questions that suit it.

import { byId } from "./dom.js";
import shapes from "./samples/shapes.png";

/** What a picture of one's own may be asked. */
export const GENERAL_QUESTIONS = ["How many circles are there?", "What colour is the largest shape?", "What does it say?"];

const SAMPLES = [
  { url: shapes, name: "Shapes", questions: GENERAL_QUESTIONS },
];

/**
 * Fetches the samples and offers them; `take` hears which one was chosen.
 * They are fetched now, with the page, so that nothing is asked of the network later.
 */
export async function offerSamples(take: (file: File, questions: readonly string[]) => void): Promise<void> {
  const items = SAMPLES.map(async ({ url, name, questions }) => {
    const blob = await (await fetch(url)).blob();
    const file = new File([blob], url.split("/").pop() ?? name, { type: blob.type });
    const image = new Image();
    image.src = URL.createObjectURL(file);
    image.alt = name;
    const button = document.createElement("button");
    button.type = "button";
    button.append(image);
    button.addEventListener("click", () => take(file, questions));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  byId("samples", HTMLUListElement).replaceChildren(...(await Promise.all(items)));
}
