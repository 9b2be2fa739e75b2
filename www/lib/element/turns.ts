// Questions and answers, one below the other.

import type { Answer } from "../protocol.gen.js";
import { make, tell } from "./view.js";
import type { Words } from "./words.js";

/** One question and its answer. */
export interface Turn {
  /** Completes it. */
  finish(answer: Answer): void;
  /** Takes it back. */
  remove(): void;
}

export class Turns {
  readonly #list: HTMLOListElement;
  readonly #words: Words;
  /** The answer that is being given. */
  #open: HTMLElement | undefined;

  constructor(list: HTMLOListElement, words: Words) {
    this.#list = list;
    this.#words = words;
  }

  /** Adds a question that waits for its answer. */
  add(question: string): Turn {
    const answer = make("p", { class: "answer busy", part: "answer" });
    const turn = make("li", { class: "turn", part: "turn" }, make("p", { class: "question", part: "question" }, question), answer);
    this.#list.append(turn);
    this.#open = answer;
    const close = (): void => {
      if (this.#open === answer) this.#open = undefined;
    };
    return {
      finish: ({ text, finish }) => {
        close();
        answer.classList.remove("busy");
        const ending = { stop: "", abort: this.#words.stopped, length: this.#words.cutOff }[finish];
        tell(answer, [text, ending].filter((words) => words !== "").join(" "));
      },
      remove: () => {
        close();
        turn.remove();
      },
    };
  }

  /** What has been answered so far. */
  say(text: string): void {
    if (this.#open) tell(this.#open, text);
  }

  clear(): void {
    this.#open = undefined;
    this.#list.replaceChildren();
  }
}
