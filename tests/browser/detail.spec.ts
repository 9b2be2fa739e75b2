// How closely a picture is looked at, and a GPU that fails under the element: what is asked for, what it costs, what is said.

import { expect, test, type Page } from "@playwright/test";
import type { LoupeAsk } from "../../pkg/dist/element/index.js";
import { before, sample } from "./desk.js";
import { openBare, PACKAGE } from "./models.js";

const QUESTION = "What colour is the triangle?";

test("fewer slices are fewer tokens, and each detail is remembered by itself", async ({ context }) => {
  const page = await openBare(context);
  const looks = await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load({ threads: 1 });
    const found: { slices: number; tokens: number; again: boolean }[] = [];
    for (const detail of ["low", { maxSlices: 2 }, "high", undefined, "low"] as const) {
      const { layout, timings } = await loupe.see(window.picture, { detail, remember: true });
      found.push({ slices: layout.columns * layout.rows, tokens: layout.tokens, again: timings.encodeMs === 0 });
    }
    loupe.close();
    return found;
  });
  expect(looks.map(({ slices }) => slices)).toEqual([0, 2, 4, 4, 0]);
  const [low = 0, some = 0, high = 0] = looks.map(({ tokens }) => tokens);
  expect(low < some && some < high, `${low}, ${some}, ${high}`).toBe(true);
  expect(looks.map(({ again }) => again)).toEqual([false, false, false, true, true]);
});

test("an engine that is started again looks as closely as before, and no detail is made up", async ({ context }) => {
  const page = await openBare(context);
  await page.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load({ threads: 1 });
    await loupe.see(window.picture, { detail: "low" });
    Object.assign(window, { mine: loupe, restarted: new Promise((resolve) => loupe.on("restarted", resolve)) });
  });
  await page.workers()[0]?.evaluate(() => void setTimeout(() => { throw new Error("an end"); }));
  const outcome = await page.evaluate(async () => {
    const { mine: loupe, restarted } = window as unknown as { mine: import("../../pkg/dist/index.js").Loupe; restarted: Promise<{ picture: boolean }> };
    const { picture } = await restarted;
    const { usage } = await loupe.ask("What colour is the triangle?");
    const { layout } = await loupe.see(window.picture, { detail: "low" });
    const refused = await loupe.see(window.picture, { detail: "highest" as "high" }).then(String, ({ kind, message }: { kind: string; message: string }) => `${kind}: ${message}`);
    loupe.close();
    return { picture, seen: usage.pictureTokens, low: layout.tokens, refused };
  });
  expect(outcome.picture).toBe(true);
  expect(outcome.seen).toBe(outcome.low);
  expect(outcome.refused).toBe('usage: "highest" is no detail; there are low, auto, high and { maxSlices: a whole number }.');
});

/** A page with the element, its picture and its attributes. */
async function element(page: Page, attributes: string): Promise<void> {
  const body = `<!doctype html><meta charset="utf-8"><title>Element</title><script type="module" src="element/index.js"></script><loupe-ask ${attributes}><img src="picture.png" alt="Five shapes"></loupe-ask>`;
  await page.route("**/element.html", (route) => route.fulfill({ contentType: "text/html", body }));
  await page.route("**/picture.png", (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
  await page.goto(`${PACKAGE}element.html`);
  await page.waitForFunction(() => customElements.get("loupe-ask") !== undefined);
}

test("the element looks as closely as its attribute says, and answers as its attributes say", async ({ page }) => {
  await element(page, `detail="low" max-tokens="1"`);
  const caption = page.locator("loupe-ask [part=caption]");
  const first = await page.locator("loupe-ask").evaluate((ask) => (ask as LoupeAsk).ask("What colour is the triangle?"));
  await expect(caption).toHaveText("443 × 330, seen whole");
  expect([first?.finish, first?.usage.answerTokens]).toEqual(["length", 1]);
  await page.locator("loupe-ask").evaluate((ask) => {
    ask.removeAttribute("max-tokens");
    ask.setAttribute("detail", "2");
  });
  await expect(caption).toHaveText(/^443 × 330, cut into (1 × 2|2 × 1) slices and an overview$/);
  const second = await page.locator("loupe-ask").evaluate((ask) => (ask as LoupeAsk).ask("What colour is the triangle?"));
  expect(second?.finish).toBe("stop");
});

test("the element says that a GPU failed, and the answer stays whole", async ({ page }) => {
  // The engine's worker says that its GPU failed once the answer has begun, and holds back what follows until it is told to go on.
  await before(page, "**/worker.js", () => {
    const send = self.postMessage.bind(self) as (message: unknown) => void;
    let model: unknown;
    let held: unknown[] | undefined;
    let failed = false;
    self.postMessage = ((message: { type: string; model?: unknown }) => {
      if (message.type === "ready") model = message.model;
      if (held) return void held.push(message);
      send(message);
      if (message.type !== "token" || failed) return;
      [failed, held] = [true, []];
      send({ type: "stalled", kind: "gpu", message: "The GPU was lost." });
    }) as typeof self.postMessage;
    new BroadcastChannel("go on").onmessage = () => {
      send({ type: "ready", model });
      for (const message of held?.splice(0) ?? []) send(message);
      held = undefined;
    };
  });
  await element(page, "");
  const field = page.getByLabel("Your question");
  await field.fill("What is the pink shape?");
  await field.press("Enter");
  await expect(page.locator("loupe-ask [part=status]")).toContainText("The GPU failed; opening the model again");
  const answer = page.locator("loupe-ask [part=answer]");
  const begun = await answer.innerText();
  expect(begun).not.toBe("");
  await page.evaluate(() => new BroadcastChannel("go on").postMessage(0));
  await expect(page.locator("loupe-ask [part=meter]")).not.toHaveText("");
  await expect(answer).toHaveText("circle");
  await expect(page.locator("loupe-ask [part=status]")).toBeHidden();
  await field.fill(QUESTION);
  await field.press("Enter");
  await expect(answer.nth(1)).toHaveText("blue");
});
