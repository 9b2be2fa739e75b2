// Which engines are measured, with which files, in which order.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cache } from "./shape.mjs";

const model = (name) => `/models/${name}`;
const Q8_0 = { text: model("text-q8_0.gguf"), vision: model("mmproj-resampler-q8_0.gguf") };

/** The picture that the time to the first token is told of. */
const BUILT_IN = { width: 1344, height: 1008, question: "How many circles are there?" };

/** What a person may name with `--only`. */
export const ENGINES = ["roofline", "kernels", "loupe", "before", "wllama", "ort", "candle", "real"];

/**
 * Files in the shape of published models, the side of the picture that each is shown, how many views it becomes, and how long a
 * prompt about it is: as SmolVLM reads it, a picture of 512² is sixteen tiles and an overview.
 */
const smolvlm = (flavour) => ({
  shape: "smolvlm",
  name: `SmolVLM-256M ${flavour}`,
  files: { text: model(`smolvlm-${flavour}.gguf`), vision: model("smolvlm-mmproj-q8_0.gguf") },
  picture: { side: 512, views: 17, prompts: [1280] },
});
const minicpmv = (version, flavour, encoder) => ({
  shape: `minicpmv-${version}`,
  name: `MiniCPM-V ${version}, ${flavour} and ${encoder}`,
  files: { text: model(`minicpmv-${version}-${flavour}.gguf`), vision: model(`minicpmv-${version}-mmproj-${encoder}.gguf`) },
  picture: { side: 448, views: 1, prompts: [128] },
});
const REAL = [smolvlm("q8_0"), smolvlm("q4_k_m"), minicpmv("4.6", "q4_k_m", "q8_0"), minicpmv("4.0", "q4_k_m", "f16")];

/**
 * Every run of one repeat. `id` is the line of the report, `engine` the page that is opened, `files` what the model's files
 * weigh on disk and must be in memory at least once, `cache` what Loupe's conversations add to them, `count` asks for the browser's own count of memory.
 */
export function plan({ only, quick, roots }) {
  const amount = { prompts: quick ? [128] : [128, 1024], decode: quick ? 32 : 64 };
  const wanted = (engine) => only.length === 0 || only.includes(engine);
  const one = (group, id, engine, threads, task) => ({
    group,
    id,
    engine,
    threads,
    isolated: threads > 1,
    task: { threads, ...task },
  });
  const runs = [one("empty", "an empty page", "empty", 1, {})];
  if (wanted("roofline")) {
    for (const threads of [1, 2])
      runs.push(one("roofline", `roofline, ${threads}`, "roofline", threads, { seconds: quick ? 0.3 : 0.6 }));
  }
  if (wanted("kernels")) {
    const layers = JSON.parse(readFileSync(new URL("../layers.json", import.meta.url), "utf8"));
    const single = artefacts(roots["/pkg"])
      .map(([name]) => name)
      .filter((name) => ["base", "relaxed"].includes(name));
    for (const artefact of single) {
      const run = one("kernels", `kernels, ${artefact}`, "kernels", 1, { package: "/pkg", artefact, layers });
      // Isolated pages have a clock of 5 µs, others one of 100, which is as long as a small layer takes.
      runs.push({ ...run, isolated: true });
    }
  }
  if (wanted("loupe")) runs.push(...loupe("loupe", "/pkg", artefacts(roots["/pkg"]), amount, quick));
  if (wanted("before") && roots["/before"])
    runs.push(...loupe("before", "/before", artefacts(roots["/before"]), amount, true));
  if (wanted("ort")) {
    for (const flavour of quick ? ["q8"] : ["q8", "fp32"]) {
      const task = { ...amount, vision: model(`vision-${flavour}.onnx`), text: model(`text-${flavour}.onnx`) };
      for (const threads of [1, 2]) runs.push(one("ort", `ONNX Runtime Web ${flavour}`, "ort", threads, task));
    }
  }
  if (wanted("candle")) {
    for (const flavour of quick ? ["q8_0"] : ["q8_0", "q4_0"]) {
      runs.push(one("candle", `candle ${flavour}`, "candle", 1, { ...amount, text: model(`text-${flavour}.gguf`) }));
    }
  }
  if (wanted("wllama")) {
    const task = { ...amount, text: model("text-q8_0.gguf"), vision: model("mmproj-idefics3-q8_0.gguf") };
    for (const threads of [1, 2]) runs.push(one("wllama", "wllama q8_0", "wllama", threads, task));
  }
  if (wanted("real") && !(quick && only.length === 0)) {
    const built = artefacts(roots["/pkg"]).filter(([name, threads]) => (name === "base" ? !quick : name === "relaxed" || threads > 1));
    for (const { shape, name, files, picture } of REAL) {
      const about = { ...picture, decode: amount.decode };
      for (const [artefact, threads] of built) {
        const load = { ...(artefact && { engine: artefact, threads }), model: files, keep: false };
        const run = one("real", ["Loupe", artefact].filter(Boolean).join(" "), "loupe", threads, { package: "/pkg", load, ...about });
        runs.push({ ...run, model: name, cache: cache(shape, positions(about)) });
      }
      for (const threads of quick ? [2] : [1, 2])
        runs.push({ ...one("real", "wllama", "wllama", threads, { ...files, ...about }), model: name });
    }
  }
  return runs;
}

/** The most positions that a run's conversations have; the first prompt alone is followed by more than a token. */
function positions({ prompts, decode }) {
  return Math.max(prompts[0] + 1 + decode, ...prompts.map((prompt) => prompt + 1));
}

/** The artefacts in a built package, each with the numbers of threads it is measured with. */
function artefacts(folder) {
  const threads = { base: [1], relaxed: [1], "relaxed-mt": [1, 2] };
  const built = Object.keys(threads).filter((name) => existsSync(join(folder, "engine", name, "loupe_bg.wasm")));
  // Before there were artefacts there was one engine.
  return built.length ? built.flatMap((name) => threads[name].map((count) => [name, count])) : [[undefined, 1]];
}

function loupe(group, address, built, amount, quick) {
  const runs = [];
  const add = (artefact, threads, what, task, more) => {
    const name = artefact ?? (group === "before" ? "before" : "");
    const id = ["Loupe", name, what].filter(Boolean).join(" ");
    const load = { ...(artefact && { engine: artefact, threads }), ...(task.builtIn ? {} : { model: task.model, keep: false }) };
    const isolated = artefact?.endsWith("-mt") ?? false;
    runs.push({
      group,
      id,
      engine: "loupe",
      threads,
      isolated,
      ...(task.prompts && { cache: cache("smolvlm", positions(task)) }),
      ...more,
      task: { package: address, threads, load, ...task },
    });
  };
  for (const [artefact, threads] of built) {
    add(artefact, threads, "q8_0", { ...amount, model: Q8_0, forms: group === "loupe" }, { count: artefact === "relaxed-mt" && threads === 1 && !quick });
    add(artefact, threads, "built-in", { builtIn: BUILT_IN });
  }
  if (quick) return runs;
  const best = built.find(([name]) => name === "relaxed") ?? built[0];
  for (const flavour of ["q4_0", "q4_k_m"])
    add(...best, flavour, { ...amount, prompts: [128], model: { ...Q8_0, text: model(`text-${flavour}.gguf`) } });
  // Every other core is kept busy by a process that does nothing else: threads must not make it slower.
  for (const [artefact, threads] of built.filter(([name]) => name === "relaxed-mt")) {
    add(artefact, threads, "q8_0 busy", { ...amount, prompts: [128], model: Q8_0 }, { busy: true });
  }
  return runs;
}

/** Sizes of the files that a run's model is made of, in bytes. */
export function fileBytes(run, sizeOf) {
  const { text, vision, load } = run.task;
  return [text ?? load?.model?.text, vision ?? load?.model?.vision]
    .filter(Boolean)
    .reduce((sum, file) => sum + sizeOf(file), 0);
}
