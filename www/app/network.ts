// "Nothing leaves this tab", with the count that shows it.

import { watchRequests, type Loupe } from "loupe-vlm";
import { byId } from "./dom.js";
import { count } from "./words.js";

const place = byId("network", HTMLElement);

/** Counts every request that the page or the worker makes from now on, until what it returns is called. */
export function countRequests(loupe: Loupe): () => void {
  let requests = 0;
  const show = (): void => {
    const figure = document.createElement("b");
    figure.textContent = count(requests, "request");
    place.replaceChildren("Nothing leaves this tab: ", figure, " since the model was loaded.");
  };
  const heard = (): void => {
    requests += 1;
    show();
  };
  const deaf = [watchRequests(heard), loupe.on("request", heard)];
  show();
  return () => {
    for (const stop of deaf) stop();
    place.replaceChildren();
  };
}
