// The page's side of a sealed engine: its worker and those that help it.

import type { Artefact } from "../caps.js";
import type { ToWorker } from "../wire.js";
import { THREAD } from "./name.js";

/** Bundlers look for addresses that are written out. Each file is one that needs no other. */
const WORKERS: Record<Artefact, (name: string) => Worker> = {
  base: (name) => new Worker(/* webpackChunkName: "loupe-sealed-base" */ new URL("../sealed-base.js", import.meta.url), { type: "module", name }),
  relaxed: (name) => new Worker(/* webpackChunkName: "loupe-sealed-relaxed" */ new URL("../sealed-relaxed.js", import.meta.url), { type: "module", name }),
  "relaxed-mt": (name) => new Worker(/* webpackChunkName: "loupe-sealed-relaxed-mt" */ new URL("../sealed-relaxed-mt.js", import.meta.url), { type: "module", name }),
};

/** A sealed worker that opens what `message` says, with its helpers; they end with it. */
export function sealedWorker(message: Extract<ToWorker, { type: "open" }>): Worker {
  const { artefact, threads } = message.parts?.info ?? { artefact: "base", threads: 1 };
  const worker = WORKERS[artefact]("loupe-sealed");
  const helpers = Array.from({ length: threads - 1 }, () => ({ worker: WORKERS[artefact](THREAD), channel: new MessageChannel() }));
  for (const { worker, channel } of helpers) worker.postMessage(channel.port1, [channel.port1]);
  const ports = helpers.map(({ channel }) => channel.port2);
  worker.postMessage({ ...message, helpers: ports } satisfies ToWorker, ports);
  const end = worker.terminate.bind(worker);
  worker.terminate = () => {
    end();
    for (const { worker } of helpers) worker.terminate();
  };
  return worker;
}
