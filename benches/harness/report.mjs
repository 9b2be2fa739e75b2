// The report: tables of what was measured, and what follows from them by division.

import { Samples, times } from "./samples.mjs";
import { decodeBytes, ENCODE, prefill, WEIGHTS } from "./shape.mjs";
import { kernels } from "./kernels.mjs";
import { MEMORY, memoryOf, PRIVATE } from "./memory.mjs";
import { real } from "./real.mjs";
import { digits, percent, spread } from "./statistics.mjs";
import { table } from "./table.mjs";

const ALL = ["loupe", "before", "ort", "candle", "wllama"];
const STAGES = { encode: "encode 512²", prefill128: "prefill 128", prefill1024: "prefill 1,024", decode: "decode" };
const MIB = 2 ** 20;

/** The report of `results` as Markdown; `before`, where there is one, is an earlier commit's. */
export function report(results) {
  const samples = new Samples([...results.runs, ...(results.before?.runs ?? [])]);
  const parts = [
    head(results),
    stages(samples, "One thread", "seconds"),
    stages(samples, "One thread, by the CPU seconds of the renderer", "cpu"),
    ratios(samples),
    ceilings(samples),
    shares(samples),
    threads(samples),
    busy(samples),
    forms(samples),
    firstToken(samples),
    memory(samples),
    kernels(results.kernels ?? [], samples),
    ...real(results.runs, samples),
    failures(results),
  ];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

function head({ date, commit, machine, browser, rivals, runs, before }) {
  const repeats = new Set(runs.map(({ repeat }) => repeat)).size;
  const loads = runs.map(({ load }) => load).filter(Number.isFinite);
  const others = runs.filter(({ samples }) => samples?.load).map(({ others }) => Math.max(0, others) * 100);
  return `# Benchmark of ${date.slice(0, 10)}

Written by \`cargo xtask bench\`; [README.md](README.md) says what is measured, how, and what is fair.

- Machine: ${machine.model}, ${machine.cores} cores, ${machine.memory} MiB, ${machine.flags.join(", ")}; ${machine.system}
- Browser: Chromium ${browser}, headless, a fresh one for every line of every repeat
- Loupe: commit ${commit}${before ? `; “before” is commit ${before.commit}, ${before.runs ? `recorded ${before.date.slice(0, 16)} on ${before.machine.model}` : "in the same run"}` : ""}
- Rivals: wllama ${rivals.wllama}, onnxruntime-web ${rivals["onnxruntime-web"]}, candle ${rivals["candle-core"]}
- Begun ${date.slice(0, 16)} UTC, ${repeats} interleaved repeat${repeats > 1 ? "s" : ""}; load average ${spread(loads)}; CPU taken by other processes ${spread(others)} % of the machine${machine.realtime ? "; the browsers went before other processes (real-time scheduling)" : ""}

Models: weights of chance; but for the built-in one and the published shapes, in the shape of SmolVLM-256M and the same for all.
Numbers are medians (least–most).`;
}

function stages(samples, title, by) {
  const lines = samples.lines(ALL, 1).filter((line) => Number.isFinite(line.median("decode")));
  const rows = lines.map((line) => [
    line.name,
    ...["load", "encode", "prefill128", "prefill1024", "decode"].map((stage) => line.spread(stage, by)),
  ]);
  return table(
    title,
    ["engine", "load, s", "encode 512², s", "prefill 128, tok/s", "prefill 1,024, tok/s", "decode, tok/s"],
    rows,
  );
}

/** What a person without threads gets. */
const best = (samples) => [samples.of("Loupe relaxed q8_0", 1), samples.of("Loupe q8_0", 1)].find((line) => line.exists);

function ratios(samples) {
  const loupe = best(samples);
  if (!loupe) return undefined;
  const others = samples.lines(ALL, 1).filter(({ id }) => id !== loupe.id && !id.includes("built-in"));
  const rows = others.map((line) => [
    line.name,
    ...Object.keys(STAGES).map((stage) => cell(times(loupe, line, stage), times(loupe, line, stage, "cpu"))),
  ]);
  return table(
    `How many times as fast ${loupe.name} is, one thread`,
    ["than", ...Object.values(STAGES)],
    rows,
    "By the clock; in brackets by CPU seconds, which other load on the machine disturbs less.",
  );
}

const cell = (clock, cpu) => (Number.isFinite(clock) ? `**${digits(clock)}** (${digits(cpu)})` : "–");

const LOOPS = {
  dotBytes: "relaxed dot product of bytes, Gop/s",
  dotPairs: "dot product of 16-bit pairs, widened before, Gop/s",
  dotWidened: "the same, both operands widened from bytes every time, Gop/s",
  fused: "fused multiply-add, f32, Gflop/s",
  mulAdd: "multiplication and addition, f32, Gflop/s",
  read1: "reading 1 MB again and again, GB/s",
  read16: "reading 16 MB, GB/s",
  read512: "reading 512 MB, GB/s",
};

function ceilings(samples) {
  const of = (threads) => samples.of(`roofline, ${threads}`, threads);
  const all = (loop, threads) => spread(of(threads).runs.map((run) => run.samples[loop] / 1e9));
  const rows = of(1).exists ? Object.entries(LOOPS).map(([loop, what]) => [what, all(loop, 1), all(loop, 2)]) : [];
  return table("Ceilings of this machine in this browser", ["loop", "1 worker", "2 workers together"], rows);
}

/** The loops that an engine can be made of: without relaxed SIMD, 16-bit pairs and no fusing. */
const bound = ({ id }) => (id.includes("base") ? ["dotPairs", "mulAdd"] : ["dotBytes", "fused"]);

function shares(samples) {
  const lines = [1, 2].flatMap((threads) => samples.lines(ALL, threads)).filter(({ id }) => /q8(_0)?$/.test(id));
  const rows = lines.map((line) => {
    const [dot, float] = bound(line).map((loop) => samples.ceiling(loop, line.threads));
    const least = ({ linear, attention }) => linear / dot + attention / float;
    const prompt = (tokens) => (least(prefill(tokens)) * line.median(`prefill${tokens}`)) / tokens;
    const read = decodeBytes("q8_0") * line.median("decode");
    const parts = [
      // All of it can be done in bytes; a prompt's attention is kept in f32.
      (ENCODE.linear + ENCODE.attention) / dot / line.median("encode"),
      prompt(128),
      prompt(1024),
      read / samples.ceiling("read512", line.threads),
    ];
    return [line.name, ...parts.map(percent), digits(read / 1e9)];
  });
  const note = `Of the least time that the ceilings allow. Encoding is ${digits(ENCODE.linear / 1e9)} Gop of linear layers and ${digits(ENCODE.attention / 1e9)} of attention, held
against the dot product of bytes (for \`base\` of 16-bit pairs). A token of a prompt is ${digits((2 * WEIGHTS.layers) / 1e6)} Mop, held against the same, and
attention, held against the fused multiply-add (for \`base\` multiplication and addition). A decoded token reads ${digits(decodeBytes("q8_0") / 1e6)} MB of
Q8_0 weights, held against reading 512 MB.`;
  const rooflines = samples.of("roofline, 1", 1).exists;
  return rooflines
    ? table("Share of the ceiling", ["engine", ...Object.values(STAGES), "decode, GB/s"], rows, note)
    : undefined;
}

const faster = (what, ratio) => (Number.isFinite(ratio) ? `${what}, **${digits(ratio)}×**` : what);

function threads(samples) {
  const rows = samples.lines(ALL, 2).flatMap((line) => {
    // Loupe's threads have an artefact of their own; without it a page gets the one without threads.
    const single = samples.of(line.id.replace("relaxed-mt", "relaxed"), 1);
    const row = [line.name, ...Object.keys(STAGES).map((stage) => faster(line.spread(stage), times(line, single, stage)))];
    return single.exists && Number.isFinite(line.median("decode")) ? [row] : [];
  });
  return table(
    "Two threads",
    ["engine", ...Object.values(STAGES)],
    rows,
    "Seconds and tokens a second, and how many times as fast as one thread.",
  );
}

function busy(samples) {
  const [one, two] = [1, 2].map((threads) => samples.of("Loupe relaxed-mt q8_0 busy", threads, { busy: true }));
  if (!one.exists || !two.exists) return undefined;
  const stages = ["encode", "prefill128", "decode"];
  const rows = [one, two].map((line) => [line.name, ...stages.map((stage) => line.spread(stage))]);
  rows.push(["two threads over one", ...stages.map((stage) => `**${digits(times(two, one, stage))}×**`)]);
  return table("While every other core is busy", ["engine", "encode 512², s", "prefill 128, tok/s", "decode, tok/s"], rows);
}

function forms(samples) {
  const lines = [1, 2].flatMap((threads) => samples.lines(["loupe"], threads));
  const rows = lines
    .filter((line) => Number.isFinite(line.median("decodeForm")))
    .map((line) => {
      const [free, held] = ["decode", "decodeForm"].map((stage) => line.median(stage));
      return [line.name, line.spread("decode"), line.spread("decodeForm"), `${digits((free / held - 1) * 100)} %`];
    });
  const note = "Tokens of the same vocabulary (49,280), free, and held to a JSON schema of a list of objects.";
  return table("Answers of a form", ["engine", "decode, tok/s", "of JSON, tok/s", "more time a token"], rows, note);
}

function firstToken(samples) {
  const lines = [1, 2]
    .flatMap((threads) => samples.lines(ALL, threads))
    .filter((line) => Number.isFinite(line.median("firstToken")));
  const timing = (line, pick) => digits(line.number(({ samples }) => pick(samples.firstToken)));
  const rows = lines.map((line) => [
    line.name,
    line.spread("firstToken"),
    line.spread("firstToken", "cpu"),
    timing(line, ({ timings }) => timings.decodeMs + timings.sliceMs),
    timing(line, ({ timings }) => timings.encodeMs),
    timing(line, ({ usage }) => usage.firstTokenMs),
    timing(line, ({ again }) => again * 1e3),
    line.spread("load"),
  ]);
  const columns = ["engine", "first token, s", "CPU, s", "decode and slice, ms", "encode, ms", "prompt, ms", "next question, ms", "load, s"];
  return table(
    "Time to the first token: the built-in model, a PNG of 1,344 × 1,008 pixels",
    columns,
    rows,
    "From handing over the file to the first token of the answer, the model being loaded; the engine has seen no picture before.",
  );
}

function memory(samples) {
  const lines = [1, 2].flatMap((threads) => samples.lines(ALL, threads));
  // An earlier record may have told other bytes.
  const told = lines.filter(({ runs }) => runs[0].files > 0 && runs[0].memory.browserPeak);
  const rows = told.map((line) => [line.name, ...memoryOf(line, samples)]);
  const note = `${PRIVATE} The empty page's renderer has ${digits(samples.empty / MIB)} MiB, its whole browser ${digits(samples.emptyBrowser / MIB)}.`;
  return table("Memory, MiB", ["engine", ...MEMORY], rows, note);
}

function failures({ runs }) {
  const failed = runs.filter(({ error }) => error);
  return failed.length
    ? `## Failed\n\n${failed.map(({ model, id, threads, error }) => `- ${[model, id].filter(Boolean).join(": ")}, ${threads} threads: ${error}`).join("\n")}`
    : undefined;
}
