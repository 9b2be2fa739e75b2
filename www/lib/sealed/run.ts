// What a sealed worker does: the same as any other, of what it was handed.

import "./seal.js";
import type { Help } from "../helping.js";
import { work } from "../helping.js";
import { give } from "../load/feed.js";
import { post, serve } from "../serve.js";
import { holdTo, staff, start, type Glue, type Helper } from "../start.js";
import type { FromThread, Parts, ToThread } from "../wire.js";
import { initSync as initForms, Forms } from "../engine/forms/loupe_forms.js";
import { THREAD } from "./name.js";
import { seal } from "./seal.js";

/** What an artefact's JavaScript offers that has its module already. */
interface SealedGlue extends Glue, Omit<Help, "begin"> {
  initSync(given: { module: WebAssembly.Module; memory?: WebAssembly.Memory; thread_stack_size?: number }): { readonly memory: WebAssembly.Memory };
}

/** Begins, as an engine or as one of its helpers. */
export function run(glue: SealedGlue): void {
  if (self.name === THREAD) self.addEventListener("message", ({ data }: MessageEvent<MessagePort>) => lend(glue, data), { once: true });
  else engage(glue);
}

function engage(glue: SealedGlue): void {
  let parts: Parts | undefined;
  // A compiled module is a message that some browsers do not deliver where they may not compile.
  self.addEventListener("messageerror", () => {
    const message = "This browser refuses a sealed worker its WebAssembly; add `script-src 'wasm-unsafe-eval'` to the policy that its file comes with.";
    post({ type: "failed", id: null, picture: null, kind: "usage", message });
  });
  serve({
    start: async (options, given, helpers = []) => {
      if (!given) throw new Error("a sealed engine was given nothing to start from");
      parts = given;
      post({ type: "sealed", seal: await seal });
      const free = [...helpers];
      return start(options, () => staff(glue, glue.initSync({ module: given.module }).memory, given.info, () => hired(free.pop())));
    },
    giveForms: async (engine) => {
      if (parts) initForms({ module: parts.forms });
      holdTo(engine, Forms);
    },
    load: (engine, { wanted }, listener) => give(engine, wanted.kind === "blobs" ? wanted.blobs : [], listener),
  });
}

function hired(port: MessagePort | undefined): Helper {
  if (!port) throw new Error("nobody was hired");
  port.start();
  return port as Helper;
}

/** Helps the engine at the other end of `port`. */
function lend({ initSync, ...glue }: SealedGlue, port: MessagePort): void {
  port.addEventListener("message", ({ data }: MessageEvent<ToThread>) => {
    const begin = (stack: number) => initSync({ ...data, thread_stack_size: stack });
    void work({ begin, ...glue }, (message: FromThread) => port.postMessage(message));
  }, { once: true });
  port.start();
}
