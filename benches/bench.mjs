// The benchmark: every engine in a fresh Chromium of its own, in turn, again and again. `cargo xtask bench` prepares what it
// needs and starts it.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { runPage, version } from "./harness/browser.mjs";
import { ENGINES, fileBytes, plan } from "./harness/plan.mjs";
import { machine } from "./harness/processes.mjs";
import { report } from "./harness/report.mjs";
import { serve } from "./harness/server.mjs";
import { digits } from "./harness/statistics.mjs";

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, "..");
const { values: options } = parseArgs({
  options: {
    /** Engines to measure, separated by commas; all, unless told otherwise. */
    only: { type: "string", default: "" },
    /** Of the published shapes, those in whose names this is. */
    model: { type: "string", default: "" },
    repeats: { type: "string", default: "3" },
    /** One repeat of what matters most. */
    quick: { type: "boolean", default: false },
    /** COMMIT=FOLDER: the `pkg/dist` of an earlier commit, to be measured in turn with today's. */
    before: { type: "string" },
    /** Kernels and ceilings alone; `cargo xtask bench` measures the kernels without a browser, too. */
    kernels: { type: "boolean", default: false },
    /** Where the report goes: NAME.md and NAME.json. */
    out: { type: "string" },
    /** Where `cargo xtask bench` put models and rivals. */
    built: { type: "string", default: join(ROOT, "target/bench") },
  },
});

const only = (options.kernels ? "roofline,kernels" : options.only).split(",").filter(Boolean);
const unknown = only.filter((engine) => !ENGINES.includes(engine));
if (unknown.length) fail(`there is no engine ${unknown.join(", ")}; there are ${ENGINES.join(", ")}`);
const repeats = options.quick ? 1 : Number(options.repeats);
if (!(repeats >= 1)) fail(`${options.repeats} is no number of repeats`);

const [earlier, folder] = options.before?.split("=") ?? [];
if (options.before && !folder) fail("--before takes COMMIT=FOLDER");

const roots = {
  "/pages": join(HERE, "pages"),
  "/rivals": join(HERE, "node_modules"),
  "/models": join(options.built, "models"),
  "/built": options.built,
  "/pkg": join(ROOT, "pkg/dist"),
  ...(folder && { "/before": resolve(folder) }),
};
const date = new Date();
const out = options.out ?? join(HERE, `RESULTS-${date.toISOString().slice(0, 10)}`);

const stop = new AbortController();
process.on("SIGINT", () => {
  if (stop.signal.aborted) process.exit(130);
  console.log("\nStopping; what was measured is kept. Once more ends at once.");
  stop.abort();
});

const git = (...words) => execFileSync("git", words, { cwd: ROOT, encoding: "utf8" }).trim();
const here = machine();
const locked = JSON.parse(readFileSync(join(HERE, "package-lock.json"), "utf8")).packages;
const results = {
  date: date.toISOString(),
  commit:
    git("rev-parse", "--short", "HEAD") +
    (git("status", "--porcelain", "--untracked-files=no") ? " and uncommitted changes" : ""),
  machine: here,
  browser: await version(),
  rivals: {
    wllama: locked["node_modules/@wllama/wllama"].version,
    "onnxruntime-web": locked["node_modules/onnxruntime-web"].version,
    "candle-core": /name = "candle-core"\nversion = "(.+)"/.exec(readFileSync(join(HERE, "candle/Cargo.lock"), "utf8"))?.[1],
  },
  // Beside what it is to be compared with.
  before: earlier ? { commit: earlier } : only.length === 0 || only.includes("loupe") || only.includes("before") ? recorded(here) : undefined,
  kernels: options.kernels ? native() : [],
  runs: [],
};

const servers = new Map();
for (const isolated of [false, true]) servers.set(isolated, await serve(roots, { isolated }));
const runs = plan({ only, quick: options.quick, roots }).filter(({ model }) => !model || model.includes(options.model));
const sizeOf = (file) => statSync(join(options.built, file)).size;
const total = repeats * runs.length;
for (let repeat = 0, done = 0; repeat < repeats; repeat++) {
  // Each repeat begins elsewhere, so that no engine always comes after the same other one.
  const turn = Math.floor((repeat * runs.length) / repeats);
  for (const run of [...runs.slice(turn), ...runs.slice(0, turn)]) {
    if (stop.signal.aborted) break;
    done += 1;
    const { group, id, threads, busy = false, model, cache } = run;
    const begun = performance.now();
    const spinning = busy ? spinners(results.machine.cores - 1) : [];
    const { kernels = [], ...result } = await runPage(
      servers.get(run.isolated).address,
      { ...run, count: run.count && repeat === 0 },
      stop.signal,
    );
    for (const spinner of spinning) spinner.kill();
    if (stop.signal.aborted) break;
    results.kernels.push(...kernels);
    results.runs.push({ repeat, group, id, threads, busy, ...(model && { model }), ...(cache && { cache }), files: fileBytes(run, sizeOf), ...result });
    const seconds = digits((performance.now() - begun) / 1e3);
    console.log(`[${done}/${total}] ${[model, id].filter(Boolean).join(": ")}, ${threads} thread${threads > 1 ? "s" : ""}: ${summary(result)} (${seconds} s)`);
    write();
  }
}
for (const server of servers.values()) server.close();
write();
console.log(`\n${out}.md`);
if (results.runs.some(({ error }) => error)) process.exitCode = 1;

function write() {
  writeFileSync(`${out}.json`, `${JSON.stringify(results, undefined, 1)}\n`);
  writeFileSync(`${out}.md`, report(results));
}

/** What an earlier commit was measured to do, if that was on a machine like this one; see README.md. */
function recorded({ model, cores }) {
  const file = join(HERE, "before.json");
  if (!existsSync(file)) return undefined;
  const { date, machine, before, runs } = JSON.parse(readFileSync(file, "utf8"));
  if (machine.model !== model || machine.cores !== cores) return undefined;
  return { commit: before.commit, date, machine, runs: runs.filter(({ group }) => group === "before") };
}

/** What the kernels do without a browser: lines that `cargo bench --bench kernels` printed. */
function native() {
  const lines = readFileSync(join(options.built, "kernels.jsonl"), "utf8").split("\n");
  return lines.filter(Boolean).map((line) => JSON.parse(line));
}

/** Processes that keep a core busy each. */
function spinners(count) {
  return Array.from({ length: count }, () => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
}

function summary({ error, samples, load }) {
  if (error) return `FAILED: ${error}`;
  const parts = Object.entries(samples).map(([name, sample]) =>
    typeof sample === "number"
      ? `${name} ${digits(sample / 1e9)} G/s`
      : `${name} ${digits(sample.tokens ? sample.tokens / sample.seconds : sample.seconds)}${sample.tokens ? " tok/s" : " s"}`,
  );
  return [...parts, `load ${digits(load)}`].join(", ");
}

function fail(sentence) {
  console.error(`bench: ${sentence}`);
  process.exit(2);
}
