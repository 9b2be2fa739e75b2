// What goes wrong is said in one sentence, and the next question is answered.

import { readFileSync } from "node:fs";
import { expect, test, type Locator } from "@playwright/test";
import { Desk, file, ROOT, sample, type Dropped } from "./desk.js";
import { blackPng } from "./pictures.js";

const MODEL = ["loupe-base-q8_0.gguf", "mmproj-loupe-base-q8_0.gguf"] as const;

const { bytes } = sample("shapes");
const BAD: readonly [string, Dropped][] = [
  ["a truncated picture", { name: "cut.png", type: "image/png", bytes: bytes.subarray(0, bytes.length / 2) }],
  ["a picture of 20,000 × 20,000", blackPng("vast.png", 20_000, 20_000)],
  ["a text file named .png", { name: "letter.png", type: "image/png", bytes: Buffer.from("Dear model, this is no picture.\n") }],
  ["an empty file", { name: "empty.png", type: "image/png", bytes: Buffer.alloc(0) }],
];

test("every bad picture gets one sentence, and the next picture is answered", async ({ page }) => {
  const desk = await Desk.open(page);
  for (const [what, picture] of BAD) {
    await test.step(what, async () => {
      await desk.drop(picture);
      await oneSentence(desk.pictureError);
      await expect(desk.picture).toBeHidden();
      await desk.see(sample("shapes"));
      await expect(desk.pictureError).toBeHidden();
      expect(await desk.ask("What colour is the triangle?")).toBe("blue");
    });
  }
});

test("a picture of one pixel is no reason to fall over", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.drop(blackPng("dot.png", 1, 1));
  // Whether it is looked at or refused is the runtime's affair: either way the page goes on.
  await expect(desk.picture.or(desk.pictureError).filter({ visible: true })).toBeVisible();
  await desk.see(sample("shapes"));
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("an empty and an overlong question get one sentence each, and the next one is answered", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  for (const question of ["", "   ", "why ".repeat(20_000)]) {
    await desk.question.fill(question);
    await desk.question.press("Enter");
    await oneSentence(desk.questionError);
    await expect(desk.turns).toHaveCount(0);
  }
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
  await expect(desk.questionError).toBeHidden();
});

test("a question without a picture does not break the page", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.question.fill("What colour is the triangle?");
  await desk.question.press("Enter");
  await expect(desk.questionError.or(desk.turns.locator(".cost")).filter({ visible: true })).toBeVisible();
  await desk.see(sample("shapes"));
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

const models = MODEL.map((name) => readFileSync(`${ROOT}/models/${name}`));

for (const [what, text, vision] of [
  ["a language model cut short", models[0]?.subarray(0, 200_000), models[1]],
  ["a language model cut in its last byte", models[0]?.subarray(0, -1), models[1]],
  ["a vision model cut in its header", models[0], models[1]?.subarray(0, 40)],
  ["the same file twice", models[0], models[0]],
  ["a web page in place of a model", Buffer.from("<!doctype html><title>Not here</title>"), models[1]],
  ["a pair that does not match", models[0], models[1] && otherPair(models[1])],
] as const) {
  test(`${what} is refused in one sentence`, async ({ page }) => {
    await page.route("**/given-*.gguf", (route) => {
      const body = route.request().url().includes("text") ? text : vision;
      return route.fulfill({ body: body ?? "", contentType: "application/octet-stream" });
    });
    const desk = await Desk.visit(page, "?text=given-text.gguf&vision=given-vision.gguf");
    await oneSentence(desk.modelError);
    await expect(desk.send).toBeDisabled();
  });
}

test("a model that is not there is said to be missing", async ({ page }) => {
  const desk = await Desk.visit(page, "?text=nowhere.gguf");
  await oneSentence(desk.modelError);
  await expect(desk.modelError).toContainText("nowhere.gguf");
});

test("an engine that cannot be fetched is said to be unable to start", async ({ page }) => {
  await page.route("**/*.wasm", (route) => route.abort());
  const desk = await Desk.visit(page);
  await oneSentence(desk.modelError);
});

test("a trap in the engine is said, survived, and the same picture is answered", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  await desk.trap();
  await oneSentence(desk.questionError);
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("a worker that does not answer a stop is replaced", async ({ page, context }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  await context.setOffline(true);
  void page.workers()[0]?.evaluate(() => { for (;;); }).catch(() => undefined);
  await desk.question.fill("What colour is the triangle?");
  await desk.question.press("Enter");
  await page.waitForTimeout(300);
  await page.keyboard.press("Escape");
  await oneSentence(desk.questionError);
  // The new worker has the model from memory: the network is cut.
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

/** One sentence for a person: a capital, a full stop, no second line, no stack. */
async function oneSentence(place: Locator): Promise<void> {
  await expect(place).toBeVisible();
  const text = await place.innerText();
  expect(text).toMatch(/^[A-Z"“`].{10,300}\.$/);
  expect(text).not.toMatch(/panicked|unreachable|undefined|\bat .*:\d+/);
}

/** The same file with another `loupe.pair`. */
function otherPair(model: Buffer): Buffer {
  const changed = Buffer.from(model);
  const key = changed.indexOf("loupe.pair");
  // The key, the type (u32), the length (u64), then the text.
  const first = key + "loupe.pair".length + 4 + 8;
  changed[first] = changed[first] === 0x30 ? 0x31 : 0x30;
  return changed;
}
