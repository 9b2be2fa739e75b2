// The sample pictures, each with questions that suit it.

import { byId } from "./dom.js";
import samples from "./samples/samples.json";

/** What a picture of one's own may be asked. */
export const GENERAL_QUESTIONS = ["How many shapes are there?", "What colour is the largest shape?", "What do you read?"];

/** Where the build put each picture. */
const ADDRESSES = import.meta.glob<string>("./samples/*.png", { eager: true, query: "?url", import: "default" });

/**
 * Fetches the samples and offers them; `take` hears which one was chosen.
 * They are fetched now, with the page, so that nothing is asked of the network later.
 */
export async function offerSamples(take: (file: File, questions: readonly string[]) => void): Promise<void> {
  const items = samples.map(async ({ file: name, name: words, questions }) => {
    const address = ADDRESSES[`./samples/${name}`];
    if (!address) throw new Error(`The sample ${name} is missing.`);
    const blob = await (await fetch(address)).blob();
    const file = new File([blob], name, { type: blob.type });
    const image = new Image();
    image.src = URL.createObjectURL(file);
    image.alt = words;
    const button = document.createElement("button");
    button.type = "button";
    button.append(image);
    button.addEventListener("click", () => take(file, questions.map(([question = ""]) => question)));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  byId("samples", HTMLUListElement).replaceChildren(...(await Promise.all(items)));
}
