// "Nothing leaves this tab", with the count that shows it.

import { watchRequests, type Loupe } from "loupe-vlm";
import { byId } from "./dom.js";
import { count } from "./words.js";

const place = byId("network", HTMLElement);
/** What stands there until there is something to count. */
const before = place.textContent ?? "";

/**
 * Counts every request that the page or the worker makes from now on, until what it returns is called. Shown from when
 * `settled` is: until then the page itself is being kept, which takes requests.
 */
export function countRequests(loupe: Loupe, settled: Promise<unknown>): () => void {
  let [requests, shown, ended] = [0, false, false];
  const show = (): void => {
    if (!shown || ended) return;
    const figure = document.createElement("b");
    figure.textContent = count(requests, "request");
    place.replaceChildren("Nothing leaves this tab: ", figure, " since the model was loaded.");
  };
  const heard = (): void => {
    requests += 1;
    show();
  };
  const deaf = [watchRequests(heard), loupe.on("request", heard)];
  void settled.then(() => {
    shown = true;
    show();
  });
  return () => {
    ended = true;
    for (const stop of deaf) stop();
    place.replaceChildren(before);
  };
}
