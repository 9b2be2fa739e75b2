// What people come for: a picture in, an answer out, nothing sent.

import { expect, test, type Locator } from "@playwright/test";
import samples from "../../www/app/samples/samples.json" with { type: "json" };
import { Desk, file, sample } from "./desk.js";

test("a dropped picture is sliced, asked about and answered as it comes, with the network cut", async ({ page, context }) => {
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  const desk = await Desk.open(page);
  await context.setOffline(true);
  const requests: string[] = [];
  context.on("request", (request) => {
    if (!request.url().startsWith("blob:")) requests.push(request.url());
  });

  await desk.see(sample("mixed"));
  await expect(desk.caption).toHaveText(/^463 × 373, cut into \d × \d slices and an overview, \d+ tokens$/);
  await expect(desk.lit).toHaveCount(await desk.cells.count());
  expect(await desk.cells.count()).toBeGreaterThan(1);

  // The answer is read while it grows: every state that the page shows is kept.
  await page.evaluate(() => {
    const states: string[] = [];
    Object.assign(window, { states });
    const watch = () => {
      const text = document.querySelector(".answer")?.textContent ?? "";
      if (text !== states.at(-1)) states.push(text);
    };
    new MutationObserver(watch).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  expect(await desk.ask("What text is in the picture?")).toBe("drouth");
  const states = await page.evaluate(() => (window as unknown as { states: string[] }).states);
  expect(states.length).toBeGreaterThan(2);

  expect(await desk.ask("Which color is the triangle?")).toBe("black");
  await expect(page.locator("#network")).toContainText("0 requests since the model was loaded");
  expect(requests).toEqual([]);
  // The content security policy had nothing to forbid, and nothing else went wrong unseen.
  expect(complaints).toEqual([]);
});

test("the samples answer their own questions", async ({ page }) => {
  const desk = await Desk.open(page);
  const wrong: string[] = [];
  for (const { name, questions } of samples) {
    await page.getByRole("button", { name }).click();
    for (const [turn, [question = "", answer]] of questions.entries()) {
      await page.getByRole("button", { name: question }).click();
      const said = await desk.answer(turn);
      if (said !== answer) wrong.push(`${name}: ${question} "${said}" in place of "${answer}"`);
    }
  }
  expect(wrong).toEqual([]);
});

test("asking again encodes nothing again, and every answer says what it cost", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  const encoding: string[] = [];
  await page.exposeFunction("heard", (text: string) => encoding.push(text));
  await page.evaluate(() => {
    const status = document.querySelector("#status") as HTMLElement;
    const heard = (window as unknown as { heard: (text: string) => void }).heard;
    new MutationObserver(() => heard(status.textContent ?? "")).observe(status, { childList: true });
  });

  await desk.ask("What is the pink shape?");
  await expect(desk.turns.nth(0).locator(".stages")).toHaveText(/Looking .*decode .*slice .*encode .*Reading .*tokens.*Answering .*token/);
  await desk.ask("What is the largest shape?");
  const stages = desk.turns.nth(1).locator(".stages");
  await expect(stages).toContainText("not again: the picture is remembered");
  // The picture and the first turn are in the cache: what is read anew is the new question.
  const { all, remembered } = await tokens(stages);
  expect(remembered).toBeGreaterThan(0);
  expect(all - remembered).toBeLessThan(40);
  expect(encoding.filter((text) => text.startsWith("Looking"))).toEqual([]);
});

test("a conversation goes on until a new one is begun", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("large"));
  const first = await desk.ask("What is the blue shape?");
  await desk.ask("What about the green one?");
  await expect(desk.turns).toHaveCount(2);
  await expect(desk.turns.nth(0).locator(".question")).toHaveText("What is the blue shape?");
  const stages = desk.page.locator(".stages");
  const [before, after] = [await tokens(stages.nth(0)), await tokens(stages.nth(1))];
  // The second question was put behind the first one and its answer, which are remembered.
  expect(after.all).toBeGreaterThan(before.all);
  expect(after.remembered).toBeGreaterThanOrEqual(before.all);

  await page.getByRole("button", { name: "New conversation" }).click();
  await expect(desk.turns).toHaveCount(0);
  await expect(desk.question).toBeFocused();
  expect(await desk.ask("What is the blue shape?")).toBe(first);
  expect((await tokens(stages)).all).toBe(before.all);
  await expect(stages).toContainText("the picture is remembered");
});

test("an answer is stopped in the middle and the next one is whole", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  await desk.slowDown(500);
  await desk.question.fill("What is the pink shape?");
  await desk.question.press("Enter");
  await desk.firstPiece();
  await page.keyboard.press("Escape");
  expect(await desk.answer(0)).toMatch(/\(stopped\)$/);
  await expect(desk.send).toHaveText("Ask");
  await page.getByRole("button", { name: "New conversation" }).click();
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("looking is stopped, and a question asked meanwhile waits for the picture", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.slowDown(500);
  await desk.drop(sample("large"));
  await expect(desk.picture).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(desk.picture).toBeHidden();
  await expect(desk.pictureError).toBeHidden();
  await desk.drop(sample("shapes"));
  await expect(desk.picture).toBeVisible();
  expect(await desk.lit.count()).toBeLessThan(await desk.cells.count());
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("loading tells how much has come", async ({ page }) => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/mmproj*.gguf", async (route) => {
    await held;
    await route.continue();
  });
  const desk = await Desk.visit(page);
  await expect(desk.status).toHaveText("Fetching the model");
  release();
  await expect(desk.status).toHaveText(/Fetching the model, \d\.\d of \d+\.\d MB/);
  await expect(page.getByText("Nothing leaves this tab")).toBeVisible();
});

test("a new picture takes the place of one that is being looked at", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.slowDown(500);
  await desk.drop(sample("large"));
  await expect(desk.status).toContainText("Looking");
  await desk.see(sample("shapes"));
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("a new picture ends the answer about the old one", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  await desk.slowDown(500);
  await desk.question.fill("What is the pink shape?");
  await desk.question.press("Enter");
  await desk.firstPiece();
  await desk.see(sample("hearts"));
  await expect(desk.turns).toHaveCount(0);
  // Neither the old picture nor the old question is in the new prompt: asked anew, it is as long and answered alike.
  const answer = await desk.ask("What color does the square have?");
  const { all } = await tokens(page.locator(".stages"));
  await page.getByRole("button", { name: "New conversation" }).click();
  expect(await desk.ask("What color does the square have?")).toBe(answer);
  expect((await tokens(page.locator(".stages"))).all).toBe(all);
});

test("a pasted picture is seen", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const desk = await Desk.open(page);
  const transfer = await desk.transfer(sample("shapes"));
  await transfer.evaluate(async ({ files }) => {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": files[0] as Blob })]);
  });
  await desk.question.focus();
  await page.keyboard.press("Control+V");
  await expect(desk.picture).toBeVisible();
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("a photograph is taken and looked at", async ({ page }) => {
  const desk = await Desk.open(page);
  await page.getByRole("button", { name: "Take a photo" }).click();
  await page.waitForFunction(() => (document.querySelector("video")?.videoWidth ?? 0) > 0);
  await page.getByRole("button", { name: "Take the photo" }).click();
  await expect(desk.picture).toHaveAccessibleName("The picture photo.png");
  await expect(page.getByRole("dialog")).toBeHidden();
  expect(await desk.ask("How many shapes are there?")).not.toBe("");
});

test("a format that only the browser reads is seen all the same, upright", async ({ page }) => {
  const desk = await Desk.open(page);
  // The sample, lying on its side in an AVIF file that says so.
  await desk.see(file("tests/browser/turned.avif"));
  await expect(desk.caption).toContainText("443 × 330");
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
});

test("the page stays responsive while a picture is encoded", async ({ page }) => {
  const desk = await Desk.open(page);
  await page.evaluate(() => {
    const beat = { ticks: 0, longest: 0, last: performance.now(), first: performance.now() };
    Object.assign(window, { beat });
    setInterval(() => {
      const now = performance.now();
      beat.longest = Math.max(beat.longest, now - beat.last);
      beat.last = now;
      beat.ticks += 1;
    }, 10);
  });
  await desk.see(sample("large"));
  await desk.ask("What is the blue shape?");
  type Beat = Record<"ticks" | "longest" | "last" | "first", number>;
  const { ticks, longest, last, first } = await page.evaluate(() => (window as unknown as { beat: Beat }).beat);
  expect(ticks).toBeGreaterThan(5);
  // By the test's own measure, for the machine may be busy: a page that encoded on its own thread would stand still for most of the time.
  expect(longest).toBeLessThan((last - first) / 2);
});

/** The tokens of a prompt, as the page counts them under an answer. */
async function tokens(stages: Locator): Promise<{ all: number; remembered: number }> {
  const [, all = NaN, remembered = NaN] = /(\d+) tokens, \d+ of pictures, (\d+) remembered/.exec(await stages.innerText())?.map(Number) ?? [];
  return { all, remembered };
}
