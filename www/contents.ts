// What the page's service worker keeps, written into it when everything else is built.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The folder of each of the engine's artefacts. */
const ENGINES = join(import.meta.dirname, "../pkg/dist/engine");
/** Fetched only for what this page never asks for: answers of a form, and an engine that is sealed. */
const UNASKED = /loupe_forms|sealed-/;

/** Writes into `offline.js` of a built page what there is to keep. */
export function writeContents(dist: string): void {
  const worker = join(dist, "offline.js");
  const files = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1).replaceAll("\\", "/"));
  const bytes = new Map(files.map((file) => [file, readFileSync(join(dist, file))]));
  const modules = new Map<string, string>();
  for (const { name } of readdirSync(ENGINES, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const found = readdirSync(join(ENGINES, name)).find((file) => file.endsWith("_bg.wasm"));
    const module = found && readFileSync(join(ENGINES, name, found));
    const wasm = module && files.find((file) => file.endsWith(".wasm") && bytes.get(file)?.equals(module));
    if (wasm && !UNASKED.test(wasm)) modules.set(name, wasm);
  }
  // What names one engine's module, and no other's, is that engine's; what names several is everybody's.
  const ofEngines = (file: string): string[] => {
    const named = (wasm: string): boolean => file === wasm || (file.endsWith(".js") && (bytes.get(file)?.includes(wasm.slice("assets/".length)) ?? false));
    return [...modules].filter(([, wasm]) => named(wasm)).map(([name]) => name);
  };
  const engines = Object.fromEntries([...modules.keys()].map((name): [string, string[]] => [name, []]));
  const common: string[] = [];
  for (const file of files.filter((file) => file !== "offline.js" && !UNASKED.test(file))) {
    const [engine, ...others] = ofEngines(file);
    (engine === undefined || others.length > 0 ? common : (engines[engine] ?? common)).push(`./${file}`);
  }
  const shell = common.map((file) => (file === "./index.html" ? "./" : file));
  const hash = createHash("sha256");
  for (const file of [...files].sort()) hash.update(file).update(bytes.get(file) ?? "");
  const contents = JSON.stringify({ version: hash.digest("hex").slice(0, 16), shell, engines });
  const code = readFileSync(worker, "utf8");
  const written = code.replace(/(["'`])%CONTENTS%\1/, () => JSON.stringify(contents));
  if (written === code) throw new Error("offline.js has no place for what it is to keep");
  writeFileSync(worker, written);
}
