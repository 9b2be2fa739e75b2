// The network on the browser's GPU, in a worker: which device runs, that it answers as the processor does, and that a GPU
// that fails costs no word.

import { expect, test, type Page, type Worker } from "@playwright/test";
import type * as Package from "../../pkg/dist/index.js";
import cases from "../golden/questions.json" with { type: "json" };
import { before, Desk, file, sample } from "./desk.js";

/** What a test may see and do of the GPU in the engine's worker. */
interface Spy {
  readonly devices: GPUDevice[];
  /** How often results were read back. */
  reads: number;
  /** The reads at which the device is lost. */
  losses: number[];
}
declare global {
  var spy: Spy;
}

const QUESTION = "What colour is the triangle?";

test.beforeEach(async ({ page }) => {
  await page.goto("./");
  const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) !== null);
  test.skip(!adapter, "THE GPU WAS NOT TESTED: this Chromium has none, not even in software");
});

/** Watches the GPU, which is lost where a test asks for that: while its results are awaited. */
async function watch(page: Page): Promise<void> {
  await before(page, "**/worker-*.js", () => {
    const spy: Spy = (globalThis.spy = { devices: [], reads: 0, losses: [] });
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...wanted) {
      const device = await requestDevice.apply(this, wanted);
      spy.devices.push(device);
      return device;
    };
    const { mapAsync } = GPUBuffer.prototype;
    GPUBuffer.prototype.mapAsync = function (...range) {
      spy.reads += 1;
      if (spy.losses.includes(spy.reads)) spy.devices.at(-1)?.destroy();
      return mapAsync.apply(this, range);
    };
  });
}

/** The worker that the engine runs in. */
function engine(page: Page): Worker {
  const [worker] = page.workers();
  if (!worker) throw new Error("the engine has no worker");
  return worker;
}

/** The GPU is lost when its results are read for the so-manieth time from now on. */
async function lose(page: Page, ...reads: number[]): Promise<void> {
  await engine(page).evaluate((reads) => {
    spy.losses = reads.map((read) => spy.reads + read);
  }, reads);
}

// Chromium's GPU in software has subgroups, and no arithmetic on halves.
for (const [query, kernels] of [
  ["?device=gpu", /kernels f32, subgroups of \d+: the GPU was asked for; without f16: not on this GPU; with subgroups: on this GPU/],
  [
    "?device=gpu&gpu=f32,nosubgroups&engine=base",
    /kernels f32: the GPU was asked for; without f16: not on this GPU; without subgroups: not wanted/,
  ],
] as const) {
  test(`${query}: the page says that the GPU runs, and the answers are the processor's`, async ({ page }) => {
    const { picture, questions } = cases.find(({ picture }) => picture.endsWith("odd.png")) ?? { picture: "", questions: [] };
    const answers = new Map<string, string[]>();
    for (const device of [query, "?device=cpu"]) {
      const desk = await Desk.open(page, device);
      await expect(desk.device).toHaveText(device === query ? kernels : "On the processor: the processor was asked for");
      if (device === query) await expect(desk.device).toHaveText(/^On the GPU google swiftshader,/);
      await desk.see(file(`tests/golden/${picture}`));
      const said: string[] = [];
      for (const question of questions) said.push(await desk.ask(question));
      answers.set(device, said);
    }
    expect(answers.get(query)).toEqual(answers.get("?device=cpu"));
    expect(answers.get(query)).toHaveLength(questions.length);
  });
}

test("a GPU in software is not taken unless it is asked for", async ({ page }) => {
  const desk = await Desk.open(page);
  await expect(desk.device).toHaveText("On the processor: its only GPU is one in software");
});

for (const [what, first, words] of [
  ["no WebGPU", () => Object.defineProperty(Object.getPrototypeOf(navigator), "gpu", { get: () => undefined }), "this browser has no WebGPU"],
  ["no adapter", () => (GPU.prototype.requestAdapter = async () => null), "this browser offers no GPU"],
  [
    "a device that cannot be opened",
    () => (GPUAdapter.prototype.requestDevice = () => Promise.reject(new Error("no such luck"))),
    "the GPU could not be opened: no such luck",
  ],
  [
    "a GPU that computes wrongly",
    () => {
      const { writeBuffer } = GPUQueue.prototype;
      GPUQueue.prototype.writeBuffer = function (buffer, at) {
        writeBuffer.call(this, buffer, at, new Uint8Array(16));
      };
    },
    "the GPU google swiftshader failed its test",
  ],
] as const) {
  test(`${what}: the processor runs, the page says why, and answers`, async ({ page }) => {
    await before(page, "**/worker-*.js", first);
    const desk = await Desk.open(page, "?device=gpu");
    await expect(desk.device).toHaveText(`On the processor: the GPU was asked for; ${words}`);
    await desk.see(sample("shapes"));
    expect(await desk.ask(QUESTION)).toBe("blue");
  });
}

for (const [query, sentence] of [
  ["?device=tpu", '"tpu" is no device; there are auto, gpu, cpu.'],
  ["?device=gpu&gpu=f32,f64", '"f64" masks nothing of a GPU; there are f32, nosubgroups.'],
] as const) {
  test(`${query} is refused in one sentence`, async ({ page }) => {
    const desk = await Desk.visit(page, query);
    await expect(desk.modelError).toHaveText(sentence);
  });
}

/** Three turns about a picture; in the second the GPU is lost at these reads. */
async function conversation(page: Page, device: string, losses: readonly number[]) {
  const desk = await Desk.open(page, `?device=${device}`);
  await desk.see(file("tests/golden/pictures/odd.png"));
  const said = [await desk.ask("Count the grey shapes")];
  if (device === "gpu") await lose(page, ...losses);
  for (const question of ["What do you read?", "The ring is what colour"]) said.push(await desk.ask(question));
  return { said, tokens: await desk.turns.last().locator(".stages").innerText(), device: await desk.device.innerText() };
}

// The first read is of the prompt, the third amid the words. A new device is read twice to test it, and once for all that
// stood before.
for (const [when, losses, device] of [
  ["while it reads a question", [1], /^On the GPU .*; the GPU was lost$/],
  ["in the middle of an answer", [3], /^On the GPU .*; the GPU was lost$/],
  ["twice", [3, 7], "On the processor: the GPU was lost"],
] as const) {
  test(`a GPU that is lost ${when} costs no word of the answer, nor of the conversation`, async ({ page }) => {
    await watch(page);
    const moved = await conversation(page, "gpu", losses);
    expect(moved.device).toEqual(typeof device === "string" ? device : expect.stringMatching(device));
    expect(await engine(page).evaluate(() => [spy.devices.length, spy.losses.every((read) => read <= spy.reads)])).toEqual([2, true]);
    const whole = await conversation(page, "cpu", []);
    expect(moved.said).toEqual(whole.said);
    const tokens = (stages: string) => stages.match(/[\d,]+(?= tokens)/g);
    expect(tokens(moved.tokens)).toEqual(tokens(whole.tokens));
  });
}

test("a GPU that is lost while it looks at a picture looks again at what it had not seen", async ({ page }) => {
  await watch(page);
  const desk = await Desk.open(page, "?device=gpu");
  await lose(page, 3);
  await desk.see(sample("shapes"));
  await expect(desk.device).toHaveText(/; the GPU was lost$/);
  expect(await desk.ask(QUESTION)).toBe("blue");
});

test("a GPU without the memory for the model leaves it to the processor", async ({ page }) => {
  await before(page, "**/worker-*.js", () => {
    const { createBuffer } = GPUDevice.prototype;
    // Less than the weights take.
    let room = 4_000_000;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      room -= descriptor.size;
      const error = new GPUOutOfMemoryError("no room");
      if (room < 0) this.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
      return createBuffer.call(this, descriptor);
    };
  });
  const desk = await Desk.open(page, "?device=gpu");
  await expect(desk.device).toHaveText("On the processor: the GPU has too little memory for this model");
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe("blue");
});

test("a model that is closed gives all of the GPU's memory back", async ({ page }) => {
  await page.route("**/bare.html", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Bare</title>" }));
  await before(page, "**/worker.js", () => {
    const channel = new BroadcastChannel("gpu");
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      channel.postMessage(descriptor.size);
      return createBuffer.call(this, descriptor);
    };
    const { destroy } = GPUBuffer.prototype;
    GPUBuffer.prototype.destroy = function () {
      channel.postMessage(-this.size);
      return destroy.call(this);
    };
  });
  await page.goto(`${process.env["LOUPE_PACKAGE_URL"] ?? "http://127.0.0.1:8081/"}bare.html`);
  const picture = [...sample("shapes").bytes];
  const [weights, held] = await page.evaluate(async (picture) => {
    const { Loupe } = (await import(`${location.origin}/index.js`)) as typeof Package;
    const held: number[] = [];
    let [bytes, most, weights] = [0, 0, 0];
    new BroadcastChannel("gpu").onmessage = ({ data }: MessageEvent<number>) => {
      bytes += data;
      most = Math.max(most, bytes);
    };
    for (let turn = 0; turn < 3; turn += 1) {
      const loupe = await Loupe.load({ device: "gpu" });
      weights = loupe.model.bytes;
      await loupe.see(new Blob([new Uint8Array(picture)]));
      await loupe.ask("What colour is the triangle?");
      held.push(most);
      loupe.close();
      while (bytes > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      held.push(bytes);
      most = 0;
    }
    return [weights, held];
  }, picture);
  expect(held.filter((_, at) => at % 2 === 1)).toEqual([0, 0, 0]);
  for (const most of held.filter((_, at) => at % 2 === 0)) expect(most).toBeGreaterThan(0.9 * weights);
});
