// A sealed engine: nothing that runs where a picture is seen can reach the network, with a content security policy and without.

import { readFileSync } from "node:fs";
import { expect, type Page } from "@playwright/test";
import { before, NO_THREADS, ROOT, sample, THREADS } from "./desk.js";
import { PACKAGE, test as base } from "./models.js";

const SEALED = "**/sealed-*.js";
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const QUESTION = "What colour is the triangle?";
const COLOUR = { type: "choice", options: ["red", "blue"] } as const;

declare global {
  interface Window {
    /** Every worker that the page started. */
    workers: Worker[];
  }
}

const test = base.extend({
  page: async ({ page }, use) => {
    await page.addInitScript(() => {
      window.workers = [];
      window.Worker = class extends Worker {
        constructor(url: string | URL, options?: WorkerOptions) {
          super(url, options);
          window.workers.push(this);
        }
      };
    });
    const script = `import * as loupe from "./index.js"; window.loupe = loupe; window.picture = await (await fetch("picture.png")).blob();`;
    await page.route("**/bare.html*", (route) =>
      route.fulfill({
        contentType: "text/html",
        headers: route.request().url().includes("isolated") ? ISOLATED : {},
        body: `<!doctype html><title>Bare</title><script type="module">${script}</script>`,
      }),
    );
    await page.route("**/picture.png", (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
    await use(page);
  },
});

async function visit(page: Page, query = ""): Promise<void> {
  await page.goto(`${PACKAGE}bare.html${query}`);
  await page.waitForFunction(() => window.picture !== undefined);
}

/** What a Loupe says of itself, and what it answers; it is left open. */
function ask(page: Page, options: { seal?: boolean; threads?: number }) {
  return page.evaluate(
    async ([options, question]) => {
      const loupe = await window.loupe.Loupe.load(options);
      await loupe.see(window.picture);
      const free = await loupe.ask(question);
      const chosen = await loupe.ask(question, { format: { type: "choice", options: ["a red one", "a blue one"] } });
      return { answers: [free.text, chosen.text], seal: loupe.seal, engine: loupe.engine, network: loupe.network };
    },
    [options, QUESTION] as const,
  );
}

/** Serves sealed workers under `policy`, a thief in them. */
async function enforce(page: Page, policy: string, thief?: () => void): Promise<void> {
  await page.route(SEALED, async (route) => {
    const response = await route.fetch();
    const planted = thief ? `(${thief.toString()})();\n` : "";
    await route.fulfill({ response, body: planted + (await response.text()), headers: { ...response.headers(), "content-security-policy": policy } });
  });
}

/** What could be hidden in a worker: it holds what it needs from before the worker was sealed, and tries it when it is told to. */
function thief(): void {
  const { fetch, WebSocket } = self;
  const ways: Record<string, () => unknown> = {
    fetch: () => self.fetch("/stolen"),
    XMLHttpRequest: () => new XMLHttpRequest(),
    WebSocket: () => new self.WebSocket("ws://127.0.0.1/stolen"),
    EventSource: () => new EventSource("/stolen"),
    importScripts: () => (self as unknown as { importScripts: (url: string) => void }).importScripts("/stolen"),
    Worker: () => new Worker("/stolen"),
    caches: () => caches.open("stolen"),
    FontFace: () => new FontFace("stolen", "url(/stolen)").load(),
    indexedDB: () => indexedDB.open("stolen"),
    BroadcastChannel: () => new BroadcastChannel("stolen"),
    eval: () => (0, eval)("import('/stolen')"),
    Function: () => (() => undefined).constructor("return import('/stolen')"),
    setTimeout: () => setTimeout("import('/stolen')" as unknown as () => void),
    "a fetch that was held": () => fetch("/stolen"),
    "a socket that was held": () =>
      new Promise((resolve, reject) => Object.assign(new WebSocket(`ws://${self.location?.host ?? "127.0.0.1"}/stolen`), { onopen: resolve, onerror: reject })),
    "import()": () => import("/stolen" as string),
  };
  self.addEventListener("message", ({ data }: MessageEvent<{ steal?: string[] }>) => {
    for (const way of data.steal ?? []) {
      const failed = (cause: unknown): void => self.postMessage({ type: "theft", way, end: cause instanceof Error ? cause.name : "refused" });
      try {
        Promise.resolve(ways[way]?.()).then(() => self.postMessage({ type: "theft", way, end: "stolen" }), failed);
      } catch (cause) {
        failed(cause);
      }
    }
  });
}

/** How each way out of the worker that was started last ends. */
function steal(page: Page, ways: readonly string[]): Promise<Record<string, string>> {
  return page.evaluate(async (ways) => {
    const worker = window.workers.at(-1) as Worker;
    const ends: Record<string, string> = {};
    await new Promise<void>((resolve) => {
      worker.addEventListener("message", ({ data }) => {
        if (data.type === "theft") ends[data.way] = data.end;
        if (Object.keys(ends).length === ways.length) resolve();
      });
      worker.postMessage({ type: "none", steal: ways });
    });
    return ends;
  }, ways);
}

/** What a thief's requests reached. */
async function watch(page: Page): Promise<string[]> {
  const reached: string[] = [];
  await page.route("**/stolen", async (route) => {
    reached.push(route.request().url());
    await route.fulfill({ contentType: "text/javascript", body: "" });
  });
  return reached;
}

/** What the page and its workers asked the network for, from now on. */
function listen(page: Page): string[] {
  const asked: string[] = [];
  page.context().on("request", (request) => asked.push(request.url()));
  return asked;
}

/** Ways out that are closed in every sealed worker, and those that only a policy closes: to code that was there before. */
const TAKEN = ["fetch", "XMLHttpRequest", "WebSocket", "EventSource", "importScripts", "Worker", "caches", "FontFace", "indexedDB", "BroadcastChannel", "eval", "Function", "setTimeout"];
const FORBIDDEN = ["a fetch that was held", "a socket that was held", "import()"];

for (const { policy, kind } of [
  { policy: undefined, kind: "removal" },
  { policy: "default-src 'none'; script-src 'wasm-unsafe-eval'", kind: "policy" },
  { policy: "default-src 'self'; connect-src 'none'", kind: "policy" },
  // It forbids what is tried, and allows what a thief would use.
  { policy: "connect-src https://elsewhere.example", kind: "removal" },
] as const) {
  test(`a sealed engine answers as any other and asks nobody, under ${policy ?? "no policy"}`, async ({ page }) => {
    if (policy) await enforce(page, policy);
    await visit(page);
    const open = await ask(page, {});
    expect(open.seal).toBeUndefined();
    const asked = listen(page);
    const sealed = await ask(page, { seal: true });
    expect(sealed.seal?.kind).toBe(kind);
    if (kind === "policy") expect(sealed.seal?.why).toBe(policy);
    expect(sealed.answers).toEqual(open.answers);
    // The last thing that was fetched is the worker itself; all it saw and said came later.
    expect(asked.at(-1)).toMatch(/sealed-relaxed\.js$/);
    expect(sealed.network.log).toEqual([]);
  });
}

test("everything that could leave a sealed worker is gone; what was hidden before is not, without a policy", async ({ page }) => {
  await before(page, SEALED, thief);
  const reached = await watch(page);
  await visit(page);
  await ask(page, { seal: true });
  const ends = await steal(page, TAKEN);
  expect(Object.keys(ends).sort()).toEqual([...TAKEN].sort());
  expect(Object.entries(ends).filter(([, end]) => !/^(Reference|Type)Error$/.test(end))).toEqual([]);
  expect(reached).toEqual([]);
  expect(await steal(page, ["a fetch that was held"])).toEqual({ "a fetch that was held": "stolen" });
  expect(reached).toHaveLength(1);
});

test("a policy holds even what was hidden before", async ({ page }) => {
  await enforce(page, "default-src 'none'; script-src 'wasm-unsafe-eval'", thief);
  const reached = await watch(page);
  await visit(page);
  await ask(page, { seal: true });
  const ends = await steal(page, FORBIDDEN);
  expect(Object.keys(ends).sort()).toEqual([...FORBIDDEN].sort());
  expect(Object.entries(ends).filter(([, end]) => end === "stolen")).toEqual([]);
  expect(reached).toEqual([]);
});

test("each sealed worker is one file, with no way to import another", () => {
  for (const name of ["base", "relaxed", "relaxed-mt"]) {
    const text = readFileSync(`${ROOT}/pkg/dist/sealed-${name}.js`, "utf8").replace(/\/\/.*|\/\*[^]*?\*\//g, "");
    expect(text, name).not.toMatch(/\bimport\b|^export\b/m);
    // The one fetch is what tries the policy.
    expect(text.match(/\bfetch\(/g), name).toEqual(["fetch("]);
  }
});

test("a sealed engine has its threads, and all of them end with it", async ({ page }) => {
  test.skip(!THREADS, NO_THREADS);
  await enforce(page, "default-src 'none'; script-src 'wasm-unsafe-eval'");
  await visit(page, "?isolated");
  const { engine, seal, answers } = await ask(page, { seal: true, threads: 2 });
  expect(engine).toMatchObject({ artefact: "relaxed-mt", threads: 2, why: ["2 threads were asked for"] });
  expect(seal?.kind).toBe("policy");
  expect(answers[0]?.trim()).toBe("blue");
  await expect.poll(() => page.workers().length).toBe(2);
  await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load({ seal: true, threads: 2 });
    loupe.close();
  });
  await expect.poll(() => page.workers().length).toBe(2);
});

test("a sealed engine that dies is followed by another that is sealed", async ({ page }) => {
  await visit(page);
  const found = await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load({ seal: true });
    await loupe.see(window.picture);
    const restarted = new Promise((resolve) => loupe.on("restarted", resolve));
    // What a trap looks like to the page.
    window.workers.at(-1)?.dispatchEvent(new ErrorEvent("error", { message: "unreachable", cancelable: true }));
    const told = await restarted;
    return { told, seal: loupe.seal, text: (await loupe.ask("What colour is the triangle?")).text };
  });
  expect(found.told).toEqual({ picture: true });
  expect(found.seal?.kind).toBe("removal");
  expect(found.text.trim()).toBe("blue");
});

test("a model from elsewhere is fetched, kept and opened; one that nothing holds cannot be sealed", async ({ page, server }) => {
  await visit(page);
  const [kept, held] = await page.evaluate(async (at) => {
    const progress: number[] = [];
    const loupe = await window.loupe.Loupe.load({ seal: true, model: `${at}m/model.json`, onProgress: ({ loaded }) => progress.push(loaded) });
    await loupe.see(window.picture);
    const text = (await loupe.ask("What colour is the triangle?")).text.trim();
    const grew = progress.every((loaded, i) => loaded >= (progress[i - 1] ?? 0));
    const held = await window.loupe.Loupe.load({ seal: true, keep: false, model: `${at}m/long.gguf ${at}m/mmproj.gguf` }).then(String, ({ kind, message }) => ({ kind, message }));
    return [{ text, grew, where: loupe.kept.where, seal: loupe.seal?.kind }, held];
  }, `${server.origin}/`);
  expect(kept).toEqual({ text: "blue", grew: true, where: "files", seal: "removal" });
  expect(held).toEqual({
    kind: "storage",
    message: "A sealed engine reads its model from files, and none are held: it was asked not to be kept. Let the model be kept, or load it without `seal`.",
  });
});
