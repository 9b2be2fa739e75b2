// The package's interface, read from the declarations that the compiler wrote: what is exported under which name, with its
// doc comment. They are as regular as a machine writes them; TypeDoc and API Extractor need a compiler that this project has left.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Something that a page can import. */
export interface Symbol {
  readonly name: string;
  /** What its doc comment says; empty where there is none. */
  readonly doc: string;
  /** Its declaration, with the comments of its members. */
  readonly code: string;
}

/** A module that a page can import. */
export interface Entry {
  /** "loupe-vlm/chat". */
  readonly name: string;
  /** What the comment at its top says. */
  readonly doc: string;
  readonly symbols: readonly Symbol[];
}

/** A file of declarations: everything at its top, by name, and what it takes from others. */
interface Module {
  readonly doc: string;
  readonly declared: ReadonlyMap<string, Symbol>;
  /** Names that it exports, and the file each comes from; empty for its own. */
  readonly exported: ReadonlyMap<string, string>;
}

const DECLARATION = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|function|enum) (\w+)/;

/** Every module of the package in `folder`, by its `package.json`. */
export function entries(folder: string): Entry[] {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string; exports: Record<string, { types: string }> };
  return Object.entries(exports).map(([path, { types }]) => {
    const file = join(folder, types);
    const { doc, exported } = read(file);
    const found = [...exported].map(([symbol, from]) => find(file, symbol, from));
    // What is there when a page runs comes before what only the compiler sees.
    const symbols = [/^(abstract )?class /, /^(const|function) /, /^(interface|type) /].flatMap((kind) => found.filter(({ code }) => kind.test(code)));
    return { name: join(name, path), doc, symbols };
  });
}

/** A declaration, in whichever file it stands. */
function find(file: string, name: string, from: string): Symbol {
  const place = from === "" ? file : join(dirname(file), from.replace(/\.js$/, ".d.ts"));
  const { declared, exported } = read(place);
  const found = declared.get(name);
  if (found) return found;
  const further = exported.get(name);
  if (further === undefined) throw new Error(`${place} does not declare ${name}`);
  return find(place, name, further);
}

const modules = new Map<string, Module>();

function read(file: string): Module {
  const known = modules.get(file);
  if (known) return known;
  const declared = new Map<string, Symbol>();
  const exported = new Map<string, string>();
  let [doc, comment] = ["", ""];
  let first = true;
  for (const statement of statements(readFileSync(file, "utf8"))) {
    if (statement.startsWith("/**")) {
      // Two comments one after the other: the first is the module's.
      if (comment !== "" && first) doc = comment;
      comment = wordsOf(statement);
      continue;
    }
    const [, names, from = ""] = /^export (?:type )?\{([^}]*)\}(?: from "([^"]+)")?/.exec(statement) ?? [];
    const name = DECLARATION.exec(statement)?.[1];
    if (first && name === undefined) doc ||= comment;
    if (names !== undefined) for (const [word] of names.matchAll(/\w+(?=\s*(?:,|$))/g)) exported.set(word, from);
    if (name !== undefined) {
      // A function of several forms is one symbol.
      const before = declared.get(name);
      const code = tidy(statement);
      declared.set(name, before ? { ...before, code: `${before.code}\n${code}` } : { name, doc: comment, code });
      if (statement.startsWith("export ")) exported.set(name, "");
    }
    [comment, first] = ["", false];
  }
  const module = { doc, declared, exported };
  modules.set(file, module);
  return module;
}

/** The comments and statements at the top of a file. */
function statements(text: string): string[] {
  const found: string[] = [];
  let held: string[] = [];
  for (const line of text.split("\n")) {
    held.push(line);
    const comment = held[0]?.startsWith("/**");
    const whole = comment ? line.endsWith("*/") : /^\S.*;$|^\}/.test(line) && (held.length === 1 || /^[})\]]/.test(line)) && !/[{(]$/.test(line);
    if (!whole) continue;
    found.push(held.join("\n").trim());
    held = [];
  }
  return found.filter((statement) => statement !== "");
}

/** A declaration without what nobody outside can use. */
function tidy(code: string): string {
  const lines = code.split("\n").filter((line) => !/^\s+(#private|private constructor)/.test(line));
  return lines.join("\n").replace(/^export (declare )?/, "");
}

/** What a comment says, without its stars. */
function wordsOf(comment: string): string {
  const lines = comment.replace(/^\/\*\*|\*\/$/g, "").split("\n");
  return lines.map((line) => line.replace(/^\s*\* ?/, "")).join("\n").trim();
}
