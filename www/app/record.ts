// A conversation as a file, or as text to paste: what was asked and answered, what ran, and what it cost. Not the picture.

import type { Loupe } from "loupe-vlm";
import { announce, byId, tell } from "./dom.js";
import type { Look } from "./looks.js";
import { count, duration, layoutInWords, runsInWords } from "./words.js";

const ways = byId("ways", HTMLElement);

/** A conversation, and what it was had with. */
export interface Record {
  readonly loupe: Loupe;
  readonly look: Look;
}

/** Offers to copy and to save what `record` gives. */
export function offerRecord(record: () => Record | undefined): void {
  const offer = (id: string, use: (record: Record) => void): void =>
    byId(id, HTMLButtonElement).addEventListener("click", () => {
      const now = record();
      if (now) use(now);
    });
  offer("copy", (now) => {
    const done = (words: string): void => {
      tell(byId("copied", HTMLElement), words);
      announce(words);
    };
    navigator.clipboard.writeText(asMarkdown(now)).then(
      () => done("Copied."),
      () => done("The browser did not let this page copy; save it instead."),
    );
  });
  offer("save-markdown", (now) => save(asMarkdown(now), "text/markdown", "md", now.look));
  offer("save-json", (now) => save(`${JSON.stringify(asJson(now), undefined, 2)}\n`, "application/json", "json", now.look));
}

/** Shows the ways, where there is something to be had. */
export function showWays(shown: boolean): void {
  ways.hidden = !shown;
  tell(byId("copied", HTMLElement), "");
}

/** Everything about a conversation but the picture's bytes. */
function asJson({ loupe, look }: Record) {
  const { name, type, size } = look.file;
  return {
    version: 1,
    picture: { name, type, bytes: size, ...look.seen?.layout },
    looked: look.seen?.timings,
    model: loupe.model,
    engine: loupe.engine,
    turns: look.said.map(({ question, answer }) => ({ question, ...answer })),
  };
}

function asMarkdown({ loupe, look }: Record): string {
  const head = `# ${look.file.name || "A picture"}`;
  const facts = [look.seen && layoutInWords(look.seen.layout), `${loupe.model.name}, ${runsInWords(loupe.engine)}`].filter((fact) => fact !== undefined);
  const turns = look.said.map(({ question, answer: { text, usage } }) => {
    const cost = `${count(usage.answerTokens, "token")} in ${duration(usage.prefillMs + usage.decodeMs)}`;
    return `**${quoted(question)}**\n\n${quoted(text)}\n\n<small>${cost}</small>`;
  });
  return [head, facts.join("  \n"), ...turns].join("\n\n") + "\n";
}

/** Text that Markdown leaves as it is. */
function quoted(text: string): string {
  return text.trim().replace(/[\\`*_{}[\]<>#|]/g, "\\$&");
}

function save(text: string, type: string, extension: string, { file }: Look): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `${file.name.replace(/\.[^.]*$/, "") || "picture"}.${extension}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
