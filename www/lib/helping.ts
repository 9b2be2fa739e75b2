// What a helper thread does.

import type { FromThread } from "./wire.js";

/** Bytes of stack, as the engine's own thread has. */
const STACK = 1 << 20;

/** What of an artefact's JavaScript a helper needs. */
export interface Help {
  /** Makes the instance, over a stack of so many bytes. */
  begin(stack: number): unknown;
  arrive(): number | undefined;
  help(thread: number): void;
  mourn(): void;
}

/** Arrives at the engine, says so, and helps until the end. */
export async function work({ begin, arrive, help, mourn }: Help, post: (message: FromThread) => void): Promise<void> {
  let thread: number | undefined;
  try {
    await begin(STACK);
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
