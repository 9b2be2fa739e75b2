// The engine as files of the package, which are fetched when they are wanted.

import { choose, inspect, type EngineChoice, type EngineOptions } from "./caps.js";
import type { Kept, Listener } from "./load/feed.js";
import { load as loadModel, type Order } from "./load/load.js";
import type { Names } from "./load/resolve.js";
import { holdTo, reason, staff, start, type Engine, type Glue, type Helper, type Instance, type Started } from "./start.js";
import type { Parts } from "./wire.js";

/** What every artefact's JavaScript offers. */
interface FetchedGlue extends Glue, Names {
  default(): Promise<{ readonly memory: WebAssembly.Memory }>;
}

const GLUE = {
  base: (): Promise<FetchedGlue> => import("./engine/base/loupe.js"),
  relaxed: (): Promise<FetchedGlue> => import("./engine/relaxed/loupe.js"),
  "relaxed-mt": (): Promise<FetchedGlue> => import("./engine/relaxed-mt/loupe.js"),
};

/** What comes after an artefact that did not start. */
const SIMPLER = { "relaxed-mt": "relaxed", relaxed: "base", base: undefined } as const;

/** What runs in this worker. */
let running: { readonly glue: FetchedGlue; readonly info: EngineChoice } | undefined;

/** Starts the best that this machine and `options` allow. */
export function startFetched(options: EngineOptions): Promise<Started> {
  return start(options, () => startEngine(options));
}

/** Brings a model to the engine from wherever it is. */
export async function load(engine: Engine, order: Order, listener: Listener): Promise<Kept> {
  return loadModel(engine, (running as NonNullable<typeof running>).glue, order, listener);
}

/** Grammars for answers that are held to a form: fetched once, for the model that `engine` has open. */
export async function fetchForms(engine: Engine): Promise<void> {
  const { default: init, Forms } = await import("./engine/forms/loupe_forms.js");
  await init();
  holdTo(engine, Forms);
}

/** Everything compiled that the engine of this worker was made of, and the grammars. */
export async function fetchParts(): Promise<Parts> {
  const { glue, info } = running as NonNullable<typeof running>;
  const forms = await fetch(new URL("./engine/forms/loupe_forms_bg.wasm", import.meta.url));
  if (!forms.ok) throw new Error(`status ${forms.status}`);
  return { info, module: glue.module(), forms: await WebAssembly.compile(await forms.arrayBuffer()) };
}

async function startEngine(options: EngineOptions): Promise<Instance> {
  for (let info = choose(options, inspect()); ; ) {
    try {
      const glue = await GLUE[info.artefact]();
      const { memory } = await glue.default();
      const instance = await staff(glue, memory, info, hire);
      running = { glue, info: instance.info };
      return instance;
    } catch (cause) {
      // There may be no room for a memory that can be shared, or the file may be missing on the server.
      const artefact = SIMPLER[info.artefact];
      if (!artefact) throw cause;
      info = { artefact, threads: 1, why: [...info.why, `${info.artefact} did not start: ${reason(cause)}`] };
    }
  }
}

/** A worker inside this one, with which it ends. */
function hire(): Helper {
  return new Worker(new URL("./thread.js", import.meta.url), { type: "module", name: "loupe-thread" });
}
