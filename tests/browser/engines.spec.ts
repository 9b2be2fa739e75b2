// Every artefact of the engine, on every page that it is meant for, and what happens when a thread does not come.

import { expect, test } from "@playwright/test";
import { before, Desk, NO_THREADS, sample, THREADS } from "./desk.js";

const QUESTION = "What colour is the triangle?";
const ANSWER = "blue";

if (!THREADS) console.warn(NO_THREADS);

for (const { query, engine, threaded } of [
  { query: "?engine=base", engine: "Engine base on 1 thread: base was asked for" },
  { query: "?engine=base&threads=2", engine: "Engine base on 1 thread: base was asked for" },
  { query: "?engine=relaxed", engine: "Engine relaxed on 1 thread: relaxed was asked for" },
  { query: "?threads=1", engine: "Engine relaxed on 1 thread: one thread was asked for" },
  { query: "?engine=relaxed-mt&threads=1", engine: "Engine relaxed-mt on 1 thread: relaxed-mt was asked for; one thread was asked for", threaded: true },
  { query: "?threads=2", engine: "Engine relaxed-mt on 2 threads: 2 threads were asked for", threaded: true },
  { query: "?threads=5", engine: "Engine relaxed-mt on 5 threads: 5 threads were asked for", threaded: true },
  {
    query: "?isolated=no",
    engine: "Engine relaxed on 1 thread: this page is not cross-origin isolated, so it may not share memory",
  },
  {
    query: "?isolated=no&engine=relaxed-mt&threads=2",
    engine:
      "Engine relaxed on 1 thread: relaxed-mt was asked for; 2 threads were asked for; this page is not cross-origin isolated, so it may not share memory",
  },
]) {
  test(`${query} runs what it says`, async ({ page }) => {
    test.skip(threaded === true && !THREADS, NO_THREADS);
    const desk = await Desk.open(page, query);
    await expect(desk.engine).toHaveText(engine);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(!query.includes("isolated=no"));
    await desk.see(sample("shapes"));
    expect(await desk.ask(QUESTION)).toBe(ANSWER);
  });
}

test("without a wish the page takes all that the machine gives", async ({ page }) => {
  test.skip(!THREADS, NO_THREADS);
  const desk = await Desk.open(page);
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  await expect(desk.engine).toHaveText(
    cores > 1
      ? `Engine relaxed-mt on ${Math.min(cores, 8)} threads: this machine has ${cores} cores`
      : "Engine relaxed on 1 thread: this machine has one core",
  );
});

for (const query of ["?engine=fast", "?threads=0", "?threads=many"]) {
  test(`${query} is refused in one sentence`, async ({ page }) => {
    const desk = await Desk.visit(page, query);
    await expect(desk.modelError).toHaveText(/^".+" is no .+\.$/);
    await expect(desk.send).toBeDisabled();
  });
}

test("a thread that cannot start is done without", async ({ page }) => {
  test.skip(!THREADS, NO_THREADS);
  await before(page, "**/worker-*.js", () => {
    self.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(new URL("nowhere.js", url), options);
      }
    };
  });
  const desk = await Desk.open(page, "?threads=2");
  await expect(desk.engine).toHaveText(
    "Engine relaxed-mt on 1 thread: 2 threads were asked for; a thread did not start: its script could not be loaded",
  );
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe(ANSWER);
});

test("an artefact that was not built is done without", async ({ page }) => {
  test.skip(THREADS, "relaxed-mt was built");
  const desk = await Desk.open(page, "?threads=2");
  await expect(desk.engine).toHaveText(/^Engine relaxed on 1 thread: 2 threads were asked for; relaxed-mt did not start: this build has none/);
});

test("an artefact that cannot be fetched is done without", async ({ page }) => {
  // Of the three modules the one with threads is asked for first.
  let refused = 0;
  await page.route("**/*.wasm", (route) => ((refused += 1) === 1 ? route.abort() : route.continue()));
  const desk = await Desk.open(page, "?engine=relaxed");
  await expect(desk.engine).toHaveText(/^Engine base on 1 thread: relaxed was asked for; relaxed did not start: /);
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe(ANSWER);
});

test("threads end with the engine that started them, and come back with the next", async ({ page }) => {
  test.skip(!THREADS, NO_THREADS);
  const desk = await Desk.open(page, "?threads=3");
  const workers = page.workers();
  expect(workers).toHaveLength(3);
  const ends = workers.map((worker) => worker.waitForEvent("close"));
  await desk.trap();
  await Promise.all(ends);
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe(ANSWER);
  expect(page.workers()).toHaveLength(3);
});
