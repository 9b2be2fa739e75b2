// The very engine that browsers get, in Node on Dawn, Chromium's WebGPU, over Vulkan: the answers on the GPU are those on
// the processor. Without a driver that Dawn takes it says so and passes.
//
//     node tests/dawn/engine.mjs [all] [f32] [nosubgroups]
//
// `all` asks all golden questions, which takes minutes on a GPU in software; the others mask features of the GPU.

import { readFileSync } from "node:fs";
import { create, globals } from "webgpu";
import { openGpu } from "../../pkg/dist/gpu.js";
// Node 20 knows no relaxed SIMD.
import init, { Engine } from "../../pkg/dist/engine/base/loupe.js";

const ROOT = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT));
const CASES = ["pictures/odd.png", "pictures/tiny.png"];
const words = process.argv.slice(2);
const masks = words.filter((word) => word !== "all");
const cases = JSON.parse(read("tests/golden/questions.json")).filter(({ picture }) => words.includes("all") || CASES.includes(picture));

Object.assign(globalThis, globals);
const gpu = create([]);
Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
if (!(await gpu.requestAdapter())) {
  console.log("> THE ENGINE WAS NOT RUN ON DAWN: it takes none of this machine's Vulkan drivers");
  process.exit(0);
}
await init({ module_or_path: read("pkg/dist/engine/base/loupe_bg.wasm") });

/** Answers to all questions of the cases. */
async function answers(device) {
  const engine = new Engine(1);
  if (device) console.log(`  ${device.adapter}, kernels ${(await engine.useGpu(device, masks)).join("; ")}`);
  for (const [file, name] of ["loupe-base-q8_0.gguf", "mmproj-loupe-base-q8_0.gguf"].entries()) engine.push(file, read(`models/${name}`));
  const said = [];
  /** Hands a request over and steps until nothing is left to do. */
  const meet = async (request, bytes) => {
    engine.handle(JSON.stringify(request), bytes);
    for (let events = await engine.step(); events !== undefined; events = await engine.step()) {
      for (const event of JSON.parse(events)) {
        if (event.type === "failed" || event.type === "stalled") throw new Error(event.message);
        if (event.type === "done") said.push(event.answer.text);
      }
    }
  };
  await meet({ type: "load" });
  for (const { picture, questions } of cases) {
    await meet({ type: "forget", pictures: true });
    await meet({ type: "see", picture: 1 }, read(`tests/golden/${picture}`));
    for (const [id, question] of questions.entries()) {
      await meet({ type: "ask", id: id + 1, question });
      await meet({ type: "forget", pictures: false });
    }
  }
  await meet({ type: "unload" });
  return said;
}

const [onGpu, onCpu] = [await answers(await openGpu(true)), await answers()];
const parted = onCpu.flatMap((wanted, at) => (onGpu[at] === wanted ? [] : [`${at}: "${onGpu[at]}", not "${wanted}"`]));
if (onCpu.length === 0 || parted.length > 0) {
  console.error(`The GPU answers otherwise than the processor:\n${parted.join("\n")}`);
  process.exit(1);
}
console.log(`  ${onCpu.length} answers are the processor's`);
// Dawn's threads keep Node alive.
process.exit(0);
