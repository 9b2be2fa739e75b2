// What the page's service worker keeps, written into it when everything else is built.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The folder of each of the engine's artefacts. */
const ENGINES = join(import.meta.dirname, "../pkg/dist/engine");
/** Fetched only for answers that the page never asks for. */
const FORMS = /loupe_forms/;

/** Writes into `offline.js` of a built page what there is to keep. */
export function writeContents(dist: string): void {
  const worker = join(dist, "offline.js");
  const files = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1).replaceAll("\\", "/"));
  const bytes = new Map(files.map((file) => [file, readFileSync(join(dist, file))]));
  const engines: Record<string, string[]> = {};
  const theirs = new Set<string>(["offline.js"]);
  for (const { name } of readdirSync(ENGINES, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const found = readdirSync(join(ENGINES, name)).find((file) => file.endsWith("_bg.wasm"));
    const module = found && readFileSync(join(ENGINES, name, found));
    const wasm = module && files.find((file) => file.endsWith(".wasm") && bytes.get(file)?.equals(module));
    if (!wasm) continue;
    // Its JavaScript is the file that names it.
    const code = files.filter((file) => file.endsWith(".js") && bytes.get(file)?.includes(wasm.slice("assets/".length)));
    for (const file of [wasm, ...code]) theirs.add(file);
    if (!FORMS.test(wasm)) engines[name] = [wasm, ...code].map((file) => `./${file}`);
  }
  const shell = files.filter((file) => !theirs.has(file)).map((file) => (file === "index.html" ? "./" : `./${file}`));
  const hash = createHash("sha256");
  for (const file of [...files].sort()) hash.update(file).update(bytes.get(file) ?? "");
  const contents = JSON.stringify({ version: hash.digest("hex").slice(0, 16), shell, engines });
  const code = readFileSync(worker, "utf8");
  const written = code.replace(/(["'`])%CONTENTS%\1/, () => JSON.stringify(contents));
  if (written === code) throw new Error("offline.js has no place for what it is to keep");
  writeFileSync(worker, written);
}
