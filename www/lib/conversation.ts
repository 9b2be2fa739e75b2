// Whole conversations put to one Loupe, as other interfaces hand them over: all messages, every time. Nothing is done twice for
// that: the engine does not read again what it has in common with what it read before, and pictures are known again.

import { answering, type Answering } from "./answering.js";
import { aborted, LoupeError } from "./error.js";
import type { Asking, Loupe } from "./index.js";
import { sha256 } from "./load/hash.js";
import { fileOf, type PictureSource } from "./picture.js";
import type { Answer, Exchange } from "./protocol.gen.js";

/** What somebody says in a conversation, and shows before it. */
export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly text: string;
  readonly pictures: readonly PictureSource[];
}

/** A picture of a conversation: what tells it from others, and its file. */
interface Shown {
  readonly key: unknown;
  readonly file: () => Promise<Blob>;
}

/** What a Loupe was last shown here, and the end of the conversations that wait for it. */
interface State {
  shown: { readonly key: unknown; readonly file: Blob }[];
  tail: Promise<unknown>;
}

const states = new WeakMap<Loupe, State>();

/**
 * Answers the last of `messages`, which must be the user's. System messages are put before the words of the next question, for not
 * every model knows them. Conversations with one Loupe wait for each other. Rejects with `usage` for messages in no such order, and
 * with the reason of `signal`.
 */
export function converse(loupe: Loupe, messages: readonly Message[], options: Asking): Answering {
  const { signal, ...sampling } = options;
  return answering(async (say, signal) => {
    const { question, history, pictures } = sort(messages);
    // What can change, a canvas say, is taken now and not when it is this conversation's turn.
    const given = Promise.all(pictures.map((picture) => bring(picture, signal)));
    given.catch(() => undefined);
    const answer = await inTurn(loupe, async (state) => {
      await show(loupe, state, await given, signal);
      signal.throwIfAborted();
      const asked = loupe.ask(question, { ...sampling, history, signal });
      for await (const piece of asked) say(piece);
      return asked;
    });
    return unbroken(answer, signal);
  }, signal);
}

/** The answer, unless it was stopped: who hands over whole conversations has no use for half of one. */
function unbroken(answer: Answer, signal: AbortSignal): Answer {
  if (answer.finish !== "abort") return answer;
  throw signal.reason ?? aborted("The answer was stopped.");
}

async function inTurn<T>(loupe: Loupe, work: (state: State) => Promise<T>): Promise<T> {
  const state = states.get(loupe) ?? { shown: [], tail: Promise.resolve() };
  states.set(loupe, state);
  const mine = state.tail.then(() => work(state));
  state.tail = mine.catch(() => undefined);
  return mine;
}

/** Questions with their answers, the last question, and all pictures in order. */
function sort(messages: readonly Message[]): { question: string; history: Exchange[]; pictures: PictureSource[] } {
  const history: Exchange[] = [];
  const pictures: PictureSource[] = [];
  let words: string[] = [];
  let asked = false;
  for (const { role, text, pictures: shown } of messages) {
    if (role === "assistant") {
      if (!asked) throw new LoupeError("usage", "An assistant's message answers no question: put the user's message before it.");
      history.push({ pictures: pictures.length, question: words.join("\n\n"), answer: text });
      [words, asked] = [[], false];
    } else {
      if (text !== "") words.push(text);
      pictures.push(...shown);
      asked ||= role === "user";
    }
  }
  if (!asked) throw new LoupeError("usage", "There is no question: the last message must be the user's.");
  if (pictures.length === 0) throw new LoupeError("usage", "No message shows a picture; put one into the user's first message.");
  return { question: words.join("\n\n"), history, pictures };
}

async function bring(picture: PictureSource, signal: AbortSignal): Promise<Shown> {
  // What an address leads to is fetched once, however often it is named; a `data:` address holds the picture itself.
  if ((typeof picture === "string" || picture instanceof URL) && !/^data:/i.test(String(picture))) {
    return { key: String(picture), file: () => fileOf(picture, signal) };
  }
  const file = await fileOf(picture, signal);
  return { key: (await sha256(new Uint8Array(await file.arrayBuffer()))) ?? file, file: async () => file };
}

/** Has the model look at what it does not see already. */
async function show(loupe: Loupe, state: State, wanted: readonly Shown[], signal: AbortSignal): Promise<void> {
  const seen = loupe.pictures;
  const same = state.shown.every(({ key, file }, i) => wanted[i]?.key === key && seen[i] === file) && seen.length === state.shown.length;
  if (!same) state.shown = [];
  for (const { key, file: read } of wanted.slice(state.shown.length)) {
    const file = await read();
    await loupe.see(file, { add: state.shown.length > 0, signal });
    state.shown.push({ key, file });
  }
}
