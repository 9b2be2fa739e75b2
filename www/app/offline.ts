// Keeping the page in this browser, so that it opens without a network.

import type { Artefact } from "loupe-vlm";
import type { FromOffline, ToOffline } from "./offline/wire.js";

/** Has the page's files and this artefact of the engine kept; whether they are. Never throws: the page does as well without. */
export async function keepPage(engine: Artefact): Promise<boolean> {
  try {
    // Pages that came over an unprotected connection have no service workers.
    const registration = await navigator.serviceWorker?.register("./offline.js");
    const worker = registration?.installing ?? registration?.waiting ?? registration?.active;
    return worker !== undefined && worker !== null && (await filled(worker)) && (await keep(worker, engine));
  } catch {
    return false;
  }
}

/** Whether it has come to keep the page's files. */
function filled(worker: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (worker.state === "redundant") resolve(false);
      else if (worker.state !== "installing" && worker.state !== "parsed") resolve(true);
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

function keep(worker: ServiceWorker, engine: Artefact): Promise<boolean> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<FromOffline>) => resolve(data.kept);
    worker.postMessage({ engine } satisfies ToOffline, [port2]);
  });
}
