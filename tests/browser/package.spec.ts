// The package as a stranger uses it: on a bare page, without a bundler.

import { readFileSync } from "node:fs";
import { expect, test as base, type Page } from "@playwright/test";
import type * as Package from "../../pkg/dist/index.js";
import { before, NO_THREADS, ROOT, sample, THREADS } from "./desk.js";

/** What a test may use inside the page. */
declare global {
  interface Window {
    loupe: typeof Package;
    picture: Blob;
  }
}

/** Where the package's own folder is served. */
const PACKAGE = process.env["LOUPE_PACKAGE_URL"] ?? "http://127.0.0.1:8081/";

/** Headers of a page that may share memory among threads. */
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const test = base.extend({
  page: async ({ page }, use) => {
    const script = `import * as loupe from "./index.js"; window.loupe = loupe;`;
    await page.route("**/bare.html*", (route) =>
      route.fulfill({
        contentType: "text/html",
        headers: route.request().url().includes("isolated") ? ISOLATED : {},
        body: `<!doctype html><title>Bare</title><script type="module">${script}</script>`,
      }),
    );
    await page.route("**/picture.png", (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
    await visit(page, "bare.html");
    await use(page);
  },
});

async function visit(page: Page, address: string): Promise<void> {
  await page.goto(PACKAGE + address);
  await page.waitForFunction(() => window.loupe !== undefined);
  await page.evaluate(async () => {
    window.picture = await (await fetch("picture.png")).blob();
  });
}

test("loading tells bytes that only grow, and what was loaded", async ({ page }) => {
  const { progress, model } = await page.evaluate(async () => {
    const progress: { loaded: number; total: number }[] = [];
    const { model } = await window.loupe.Loupe.load({ onProgress: ({ loaded, total }) => progress.push({ loaded, total }) });
    return { progress, model };
  });
  const size = ["loupe-base-q8_0.gguf", "mmproj-loupe-base-q8_0.gguf"].reduce((sum, name) => sum + readFileSync(`${ROOT}/models/${name}`).length, 0);
  expect(progress.at(-1)).toEqual({ loaded: size, total: size });
  expect(progress.every(({ loaded }, i) => loaded > (progress[i - 1]?.loaded ?? 0))).toBe(true);
  expect(model.bytes).toBe(size);
  expect(model.hash).toMatch(/^[0-9a-f]{16}$/);
});

test("an answer can be awaited, read piece by piece, and repeated", async ({ page }) => {
  const found = await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load();
    const cuts: number[] = [];
    const seen = await loupe.see(window.picture, { onSliced: ({ columns, rows }) => cuts.push(columns, rows) });
    const whole = await loupe.ask("What colour is the triangle?");
    await loupe.forget();
    const pieces: string[] = [];
    const asked = loupe.ask("What colour is the triangle?");
    for await (const piece of asked) pieces.push(piece);
    const again = await asked;
    const draw = async () => {
      await loupe.forget();
      return (await loupe.ask("What do you see?", { temperature: 1.5, seed: 7, maxTokens: 12 })).text;
    };
    return { cuts, seen, whole, pieces, again, drawn: [await draw(), await draw()] };
  });
  expect(found.cuts).toEqual([found.seen.layout.columns, found.seen.layout.rows]);
  expect(found.seen.timings.encodeMs).toBeGreaterThan(0);
  expect(found.whole.finish).toBe("stop");
  expect(found.pieces.join("")).toBe(found.whole.text);
  expect(found.again.text).toBe(found.whole.text);
  expect(found.again.usage.cachedTokens).toBeGreaterThan(found.again.usage.pictureTokens);
  expect(found.drawn[0]).toBe(found.drawn[1]);
});

test("everything that takes long can be aborted", async ({ page }) => {
  const ends = await page.evaluate(async () => {
    const { Loupe } = window.loupe;
    const name = (error: unknown) => (error instanceof Error ? error.name : String(error));
    const soon = () => AbortSignal.timeout(1);
    const load = await Loupe.load({ signal: AbortSignal.abort() }).catch(name);
    const loading = await Loupe.load({ signal: soon() }).catch(name);

    const loupe = await Loupe.load();
    const stopper = new AbortController();
    const see = await loupe.see(window.picture, { signal: stopper.signal, onSliced: () => stopper.abort() }).catch(name);
    await loupe.see(window.picture);
    const begun = loupe.ask("What do you see?", { temperature: 2, seed: 1 });
    begun.stop();
    const stopped = await begun.then(({ finish }) => finish, name);
    const next = (await loupe.ask("What colour is the triangle?")).finish;
    return { load, loading, see, stopped, next };
  });
  expect(ends.load).toBe("AbortError");
  expect(ends.loading).toBe("AbortError");
  expect(ends.see).toBe("AbortError");
  expect(ends.stopped).toBe("abort");
  expect(ends.next).toBe("stop");
});

test("errors carry their kind", async ({ page }) => {
  const kinds = await page.evaluate(async () => {
    const { Loupe, LoupeError } = window.loupe;
    const kind = (error: unknown) => (error instanceof LoupeError ? error.kind : String(error));
    const loupe = await Loupe.load();
    const picture = await loupe.see(new Blob(["no picture"])).catch(kind);
    await loupe.see(window.picture);
    const usage = await loupe.ask("").then(String, kind);
    const option = await loupe.ask("What?", { temperature: -1 }).then(String, kind);
    const model = await Loupe.load({ model: { text: new Blob(["no model"]), vision: new Blob([]) } }).catch(kind);
    loupe.close();
    const closed = await loupe.ask("What?").then(String, kind);
    return { picture, usage, option, model, closed };
  });
  expect(kinds).toEqual({ picture: "picture", usage: "usage", option: "usage", model: "model", closed: "usage" });
});

test("a second picture joins the first", async ({ page }) => {
  const [one, two] = await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load();
    await loupe.see(window.picture);
    const one = (await loupe.ask("What colour is the triangle?")).usage.pictureTokens;
    await loupe.see(window.picture, { add: true });
    const two = (await loupe.ask("What colour is the triangle?")).usage.pictureTokens;
    return [one, two];
  });
  expect(one).toBeGreaterThan(0);
  expect(two).toBe(2 * (one ?? 0));
});

test("threads need an isolated page, and nothing else", async ({ page }) => {
  const load = () => page.evaluate(async () => (await window.loupe.Loupe.load({ threads: 2 })).engine);
  expect(await load()).toMatchObject({ artefact: "relaxed", threads: 1 });
  await visit(page, "bare.html?isolated");
  test.skip(!THREADS, NO_THREADS);
  expect(await load()).toMatchObject({ artefact: "relaxed-mt", threads: 2, why: ["2 threads were asked for"] });
});

test("a thread that dies takes the engine with it, and both are started again", async ({ page }) => {
  test.skip(!THREADS, NO_THREADS);
  await visit(page, "bare.html?isolated");
  // The first engine's helper arrives and says at once that it has trapped.
  await before(page, "**/worker.js", () => {
    const script = `
      import init, { arrive, mourn } from "${location.origin}/engine/relaxed-mt/loupe.js";
      self.onmessage = async ({ data: { module, memory } }) => {
        await init({ module_or_path: module, memory, thread_stack_size: 1 << 20 });
        arrive();
        self.postMessage({ type: "arrived" });
        mourn();
      };`;
    self.Worker = class extends Worker {
      constructor(_: string | URL, options?: WorkerOptions) {
        super(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), options);
      }
    };
  }, { times: 1 });
  const { first, again } = await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load({ threads: 2 });
    const restarted = new Promise((resolve) => loupe.on("restarted", resolve));
    const first = await loupe.see(window.picture).then(String, ({ kind }) => kind as string);
    await restarted;
    await loupe.see(window.picture);
    return { first, again: (await loupe.ask("What colour is the triangle?")).text };
  });
  expect(first).toBe("internal");
  expect(again.trim()).toBe("blue");
});
