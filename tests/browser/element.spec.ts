// `<loupe-ask>` on a page that allows as little as a page can: its content security policy names the page's own files and no more.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { expect, test as base, type Locator, type Page } from "@playwright/test";
import type { LoupeAsk } from "../../pkg/dist/element/index.js";
import { faults } from "./axe.js";
import { ROOT, sample, transferOf } from "./desk.js";
import { PACKAGE } from "./models.js";

const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src 'self'; style-src 'self'";
const QUESTION = "What colour is the triangle?";
/** What a page pays for the element before anybody uses it, with brotli. */
const MOST_BYTES = 12_000;

/** A page with the element in it. */
class Stage {
  readonly page: Page;
  readonly element: Locator;
  readonly question: Locator;
  readonly answers: Locator;
  /** What the browser complained of. */
  readonly complaints: string[] = [];
  readonly asked: string[] = [];

  constructor(page: Page) {
    this.page = page;
    this.element = page.locator("loupe-ask");
    this.question = page.getByLabel("Your question");
    this.answers = this.element.locator("[part=answer]");
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("request", (request) => this.asked.push(new URL(request.url()).pathname));
  }

  async open(inside = "", attributes = ""): Promise<void> {
    const head = `<meta charset="utf-8"><meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width"><title>Element</title>`;
    const body = `<script type="module" src="element/index.js"></script><main><h1>A page</h1><form><loupe-ask ${attributes}>${inside}</loupe-ask></form></main>`;
    await this.page.route("**/element.html", (route) =>
      route.fulfill({ contentType: "text/html", headers: { "Content-Security-Policy": CSP }, body: `<!doctype html><html lang="en">${head}${body}</html>` }),
    );
    await this.page.route("**/picture.png", (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
    await this.page.goto(`${PACKAGE}element.html`);
    await this.page.waitForFunction(() => customElements.get("loupe-ask") !== undefined);
    await this.element.evaluate((element) => {
      const heard: string[] = [];
      for (const type of ["ready", "ask", "answer"]) document.addEventListener(type, () => heard.push(type));
      document.addEventListener("token", (event) => heard.push(`token:${(event as CustomEvent<{ text: string }>).detail.text}`));
      element.addEventListener("error", (event) => heard.push(`error:${(event as CustomEvent<{ error: Error }>).detail.error.name}`));
      Object.assign(window, { heard });
    });
  }

  async drop(): Promise<void> {
    const dataTransfer = await transferOf(this.page, sample("shapes"));
    await this.element.dispatchEvent("dragover", { dataTransfer });
    await this.element.dispatchEvent("drop", { dataTransfer });
  }

  /** What the page heard, pieces of an answer joined. */
  heard(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  }
}

const test = base.extend<{ stage: Stage }>({
  stage: async ({ page }, use) => {
    await use(new Stage(page));
  },
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1100, 340]) {
    test(`a dropped picture is asked about by keyboard, in ${colorScheme} mode, ${width} pixels wide`, async ({ page, stage }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 800 });
      await stage.open();
      expect(await faults(page)).toEqual([]);
      await stage.drop();
      await expect(page.getByRole("img", { name: "The picture shapes.png" })).toBeVisible();
      await stage.question.fill(QUESTION);
      await stage.question.press("Enter");
      await expect(stage.element.locator("[part=meter]")).toContainText("On this machine: 0 requests since the model was loaded.");
      await expect(stage.answers).toHaveText("blue");
      // Read aloud, whole and once.
      await expect(page.getByRole("status")).toHaveText("blue");
      await expect(stage.element.locator("[part=caption]")).toHaveText("443 × 330, cut into 2 × 2 slices and an overview");
      const { cells, lit } = await stage.element.evaluate(({ shadowRoot }) => ({
        cells: shadowRoot?.querySelectorAll("rect").length,
        lit: shadowRoot?.querySelectorAll("rect.seen").length,
      }));
      expect([cells, lit]).toEqual([4, 4]);
      expect(await faults(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      const heard = await stage.heard();
      expect(heard.filter((what) => !what.startsWith("token:"))).toEqual(["ready", "ask", "answer"]);
      expect(heard.filter((what) => what.startsWith("token:")).map((what) => what.slice("token:".length)).join("").trim()).toBe("blue");
      // The content security policy had nothing to forbid.
      expect(stage.complaints).toEqual([]);
    });
  }
}

test("nothing but the facade comes before it is used, and the facade is small", async ({ page, stage }) => {
  await stage.open();
  await expect(stage.question).toBeVisible();
  const mine = stage.asked.filter((path) => path.endsWith(".js"));
  expect(stage.asked.filter((path) => !path.endsWith(".js"))).toEqual(["/element.html"]);
  const files = new Set<string>();
  collect(resolve(ROOT, "pkg/dist/element/index.js"), files);
  expect(mine.length).toBe(files.size);
  const bytes = [...files].map((file) => brotliCompressSync(readFileSync(file)).length);
  expect(bytes.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(MOST_BYTES);
  expect(page.workers()).toEqual([]);
});

test("a picture, a field and a place for the answer that the page has itself are used", async ({ page, stage }) => {
  const inside = `<img src="picture.png" alt="Five shapes"><input slot="input" aria-label="My question"><output slot="answer" id="mine"></output>`;
  await stage.open(inside, `name="said"`);
  const field = page.getByLabel("My question");
  await field.fill(QUESTION);
  await field.press("Enter");
  await expect(page.locator("#mine")).toHaveText("blue");
  await expect(page.getByRole("img", { name: "Five shapes" })).toBeVisible();
  await expect(stage.element.locator("path.over")).toHaveCount(1);
  // The answer is the element's value in the page's form.
  expect(await page.evaluate(() => String(new FormData(document.forms[0]).get("said")).trim())).toBe("blue");
  // Another picture takes the place of the page's own.
  await stage.drop();
  await expect(page.getByRole("img", { name: "The picture shapes.png" })).toBeVisible();
  await expect(page.getByRole("img", { name: "Five shapes" })).toBeHidden();
});

test("what goes wrong is said, and the question comes back", async ({ page, stage }) => {
  await stage.open();
  const ask = (question: string) => stage.element.evaluate((element, question) => (element as LoupeAsk).ask(question).then((answer) => answer?.text), question);
  await stage.question.fill(QUESTION);
  await stage.question.press("Enter");
  await expect(page.getByRole("alert")).toHaveText("There is no picture to ask about; choose one first.");
  await expect(stage.question).toHaveValue(QUESTION);
  await stage.element.evaluate((element) => (element as LoupeAsk).see(new Blob(["no picture"])));
  await expect(page.getByRole("alert")).toContainText("This file");
  await expect(stage.element.locator("[part=dropzone]")).toBeVisible();
  expect((await stage.heard()).filter((what) => what.startsWith("error"))).toEqual(["error:TypeError", "error:EncodingError"]);

  await stage.drop();
  expect((await ask(QUESTION))?.trim()).toBe("blue");
  await expect(stage.element.locator("[part=error]")).toHaveText("");
  // A page may keep a question from being asked.
  await page.evaluate(() => document.addEventListener("ask", (event) => event.preventDefault()));
  expect(await ask(QUESTION)).toBeUndefined();
  await expect(stage.answers).toHaveCount(1);
});

test("looking is stopped by the button, and the engine ends with the element", async ({ page, stage }) => {
  await stage.open();
  await stage.element.evaluate((element) => (element as LoupeAsk).load());
  // The engine takes no further step until it is told to stop.
  await page.workers()[0]?.evaluate(() => {
    const send: (message: unknown) => void = MessagePort.prototype.postMessage;
    const held: (() => void)[] = [];
    let free = false;
    MessagePort.prototype.postMessage = function (this: MessagePort, message: unknown) {
      if (free) send.call(this, message);
      else held.push(() => send.call(this, message));
    };
    self.addEventListener("message", ({ data }: MessageEvent<{ request?: { type: string } }>) => {
      free ||= data.request?.type === "stop";
      if (free) for (const go of held.splice(0)) go();
    });
  });
  await stage.drop();
  const stop = page.getByRole("button", { name: "Stop" });
  await stop.click();
  await expect(page.getByRole("button", { name: "Ask", exact: true })).toBeVisible();
  await expect(stage.element.locator("[part=dropzone]")).toBeVisible();
  expect((await stage.heard()).filter((what) => what.startsWith("error"))).toEqual([]);
  expect(page.workers().length).toBe(1);
  await stage.element.evaluate((element) => element.remove());
  await expect.poll(() => page.workers().length).toBe(0);
});

/** A module and all that it imports when it is loaded. */
function collect(file: string, files: Set<string>): void {
  if (files.has(file)) return;
  files.add(file);
  for (const [, from = ""] of readFileSync(file, "utf8").matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)"|^import "(\.[^"]+)"/gm)) {
    if (from !== "") collect(resolve(dirname(file), from), files);
  }
}
