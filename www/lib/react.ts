/**
 * Loupe as a React hook:
 *
 * ```tsx
 * const { status, answer, error, see, ask, stop } = useLoupe();
 * return <>
 *   <input type="file" accept="image/*" onChange={({ target }) => target.files?.[0] && see(target.files[0])} />
 *   <form action={(data) => void ask(String(data.get("question")))}><input name="question" /></form>
 *   <output>{answer}</output>
 * </>;
 * ```
 */

import { useEffect, useState, useSyncExternalStore } from "react";

import { Desk, EMPTY, type DeskState } from "./desk.js";
import type { LoadOptions } from "./index.js";

export type { DeskState, Status } from "./desk.js";

/** What `Loupe.load` takes, and when. */
export interface UseLoupeOptions extends LoadOptions {
  /** Load the model when the component appears, and not when it is first wanted. */
  readonly eager?: boolean;
}

/** What there is to show, and what can be done. The functions stay the same for the life of the component, and never reject. */
export interface UseLoupe extends DeskState {
  readonly load: Desk["load"];
  readonly see: Desk["see"];
  readonly ask: Desk["ask"];
  readonly stop: Desk["stop"];
}

/** What a component has of it for all of its life. */
interface Held extends Pick<UseLoupe, "load" | "see" | "ask" | "stop"> {
  options: UseLoupeOptions;
  readonly close: () => void;
  readonly state: () => DeskState;
  readonly subscribe: (listener: () => void) => () => void;
}

/**
 * One picture, one conversation, one model, which ends with the component. The options are those of `Loupe.load`, as they are
 * when the model is first wanted: a component that is to change its model is given another `key`. On a server it shows what
 * there is before anything was done.
 */
export function useLoupe(options: UseLoupeOptions = {}): UseLoupe {
  const [held] = useState(hold);
  const state = useSyncExternalStore(held.subscribe, held.state, () => EMPTY);
  useEffect(() => {
    held.options = options;
  });
  const { eager = false } = options;
  useEffect(() => {
    if (eager) void held.load();
    return held.close;
  }, [held, eager]);
  const { load, see, ask, stop } = held;
  return { ...state, load, see, ask, stop };
}

function hold(): Held {
  const listeners = new Set<() => void>();
  const desk = new Desk(
    () => {
      const { eager: _, ...options } = held.options;
      return options;
    },
    () => listeners.forEach((listener) => listener()),
  );
  const held: Held = {
    options: {},
    load: () => desk.load(),
    see: (picture) => desk.see(picture),
    ask: (question, options) => desk.ask(question, options),
    stop: () => desk.stop(),
    close: () => desk.close(),
    state: () => desk.state,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return held;
}
