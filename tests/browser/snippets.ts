// The code that the documentation shows: found, checked against the package's types, and made into pages that run it.

import { readdirSync, readFileSync } from "node:fs";
import { ROOT } from "./desk.js";

/** A block of code. */
export interface Snippet {
  /** The file, and the line that its code begins at. */
  readonly place: string;
  /** "ts", "tsx" or "html". */
  readonly language: string;
  readonly code: string;
  /** False for what needs more than a page and the package. */
  readonly runs: boolean;
}

/** Names that snippets take from the page around them, with their types. */
const AROUND: Readonly<Record<string, string>> = {
  file: "File",
  picture: "Blob",
  url: "string",
  signal: "AbortSignal",
  output: "HTMLElement",
  bar: "{ update(done: number, total: number): void }",
  status: "{ show(words: string): void }",
  drawGrid: "(layout: Layout) => void",
  use: "(value: unknown) => void",
  messages: "LanguageModelV4Prompt",
  streamText: "(options: { model: LanguageModelV4; messages: LanguageModelV4Prompt }) => { textStream: AsyncIterable<string> }",
};

/** What snippets use without saying where it is from. */
const MEANT = ["Loupe", "LoupeError", "models"];

/** Every snippet of the READMEs, of the guides, and of the comments at the top of modules. */
export function snippets(): Snippet[] {
  const guides = readdirSync(`${ROOT}/docs/guide`).map((name) => `docs/guide/${name}`);
  const modules = readdirSync(`${ROOT}/www/lib`, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts")).map((name) => `www/lib/${name}`);
  return ["README.md", "pkg/README.md", ...guides, ...modules].flatMap((path) => {
    const text = readFileSync(`${ROOT}/${path}`, "utf8");
    // In a comment every line begins with a star.
    const lines = text.split("\n").map((line) => (path.endsWith(".ts") ? (/^ \* ?(.*)$/.exec(line)?.[1] ?? "") : line));
    return [...lines.join("\n").matchAll(/^```(tsx?|html)( no-run)?\n([\s\S]*?)^```$/gm)].map((match) => {
      const [, language = "", mark, code = ""] = match;
      const line = lines.join("\n").slice(0, match.index).split("\n").length + 1;
      return { place: `${path}:${line}`, language, code, runs: mark === undefined && language !== "tsx" };
    });
  });
}

/** The snippet's own imports, then those that it leaves out, then the rest. */
function parts(code: string): { imports: string; body: string } {
  // The AI SDK itself is not here; what is taken of it is declared.
  const own = code.split("\n").filter((line) => line.startsWith("import ") && !line.includes('from "ai"'));
  const body = code.split("\n").filter((line) => !line.startsWith("import ")).join("\n");
  const missing = MEANT.filter((name) => !own.some((line) => new RegExp(`\\b${name}\\b`).test(line.split(" from ")[0] ?? "")));
  return { imports: [...own, `import { ${missing.join(", ")} } from "loupe-vlm";`].join("\n"), body };
}

/** A module that the compiler checks: the snippet, with what it takes from around it declared. */
export function checked({ code, language }: Snippet): string {
  const { imports, body } = parts(code);
  const around = Object.entries(AROUND).map(([name, type]) => `declare const ${name}: ${type};`);
  const types = [`import type { Layout, Loupe as AnyLoupe } from "loupe-vlm";`, `import type { LanguageModelV4, LanguageModelV4Prompt } from "@ai-sdk/provider";`];
  const whole = language === "tsx" && !body.includes("function ") ? `function Component() {\n${body}\n}\nvoid Component;` : body;
  const react = language === "tsx" && !imports.includes("useLoupe") ? [`import { useLoupe } from "loupe-vlm/react";`] : [];
  return [...types, ...react, imports, ...around, "declare const loupe: AnyLoupe;", "{", whole, "}", "void [Loupe, LoupeError, models];"].join("\n");
}

/**
 * A page that runs the snippet, in which `ran` becomes the text of `output`, or what went wrong. Where the snippet loads no Loupe of
 * its own, one is there that has seen the picture.
 */
export function page({ code, language }: Snippet, importmap: Readonly<Record<string, string>>): string {
  const map = `<script type="importmap">${JSON.stringify({ imports: importmap })}</script>`;
  const head = `<!doctype html><meta charset="utf-8"><title>A snippet</title>${map}`;
  if (language === "html") return `${head}\n${code}`;
  const { imports, body } = parts(code);
  const loads = /const loupe = await Loupe\.load/.test(body);
  const script = `
    ${imports}
    const output = document.querySelector("output");
    const file = new File([await (await fetch("picture.png")).blob()], "picture.png", { type: "image/png" });
    const loupe = ${loads ? "undefined" : "await Loupe.load({ threads: 1 })"};
    ${loads ? "" : "await loupe.see(file);"}
    const [picture, url, signal] = [file, "picture.png", new AbortController().signal];
    const told = [];
    const bar = { update: (done, total) => void told.push([done, total]) };
    const status = { show: (words) => void told.push(words) };
    const [drawGrid, use] = [(layout) => void told.push(layout), (value) => void output.append(JSON.stringify(value))];
    try {
      {
${body}
      }
      window.ran = output.textContent;
    } catch (error) {
      window.ran = error;
    }
    void [LoupeError, models, picture, url, signal, bar, status, drawGrid, use, told];`;
  return `${head}<output></output><script type="module">${script}</script>`;
}
