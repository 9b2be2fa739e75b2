// A helper thread: an instance of the engine's module over the engine's memory, which does jobs and nothing else.

import init, { arrive, help, mourn } from "./engine/relaxed-mt/loupe.js";
import { work } from "./helping.js";
import type { FromThread, ToThread } from "./wire.js";

self.addEventListener("message", ({ data: { module, memory } }: MessageEvent<ToThread>) => {
  const begin = (stack: number) => init({ module_or_path: module, memory, thread_stack_size: stack });
  void work({ begin, arrive, help, mourn }, (message: FromThread) => self.postMessage(message));
}, { once: true });
