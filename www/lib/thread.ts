// A helper thread: an instance of the engine's module over the engine's memory, which does jobs and nothing else.

import init, { arrive, help, mourn } from "./engine/relaxed-mt/loupe.js";
import type { FromThread, ToThread } from "./wire.js";

/** Bytes of stack, as the engine's own thread has. */
const STACK = 1 << 20;

self.addEventListener("message", ({ data }: MessageEvent<ToThread>) => {
  void work(data);
}, { once: true });

async function work({ module, memory }: ToThread): Promise<void> {
  let thread: number | undefined;
  try {
    await init({ module_or_path: module, memory, thread_stack_size: STACK });
    thread = arrive();
    if (thread === undefined) throw new Error("it came too late");
  } catch (cause) {
    post({ type: "failed", message: cause instanceof Error ? cause.message : String(cause) });
    return;
  }
  post({ type: "arrived" });
  try {
    help(thread);
  } catch (cause) {
    // The engine may be asleep until this thread's job is done, and cannot read messages: it is told through memory.
    mourn();
    reportError(cause);
  }
}

function post(message: FromThread): void {
  self.postMessage(message);
}
