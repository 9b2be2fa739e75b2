// What was said about each picture: gone back to, taken along as text or as data; and how the page is set up, in its address.

import { readFileSync } from "node:fs";
import { expect, type Page } from "@playwright/test";
import { faults } from "./axe.js";
import { Desk, sample } from "./desk.js";
import { test } from "./models.js";

const QUESTION = "What colour is the triangle?";

/** What a press of this button saves: its name and its text. */
async function saved(page: Page, button: string): Promise<[name: string, text: string]> {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: button }).click();
  const file = await download;
  return [file.suggestedFilename(), readFileSync(await file.path(), "utf8")];
}

/** Moves the slider for the detail. */
async function look(page: Page, key: "Home" | "End"): Promise<void> {
  await page.getByLabel("Detail").focus();
  await page.keyboard.press(key);
}

test("an earlier picture is gone back to, with all that was said, and the conversation goes on", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("large"));
  await desk.ask("What is the blue shape?");
  await desk.see(sample("shapes"));
  await expect(desk.turns).toHaveCount(0);
  expect(await desk.ask(QUESTION)).toBe("blue");
  expect(await faults(page)).toEqual([]);

  await page.getByRole("button", { name: "large.png, 1 question" }).click();
  await expect(desk.picture).toHaveAccessibleName("The picture large.png");
  await expect(desk.turns.locator(".question")).toHaveText("What is the blue shape?");
  // "The green one" is a shape only for who remembers the first question.
  expect(await desk.ask("What about the green one?")).toBe("triangle");
  await expect(page.getByRole("button", { name: "shapes.png, 1 question" })).toBeVisible();
  await page.getByRole("button", { name: "New conversation" }).click();
  await expect(page.getByRole("button", { name: "large.png, 2 questions" })).toBeVisible();
  await expect(desk.turns).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Save as JSON" })).toBeHidden();
});

test("an engine that is started again is told what was said", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("large"));
  await desk.ask("What is the blue shape?");
  await desk.trap();
  await expect(desk.questionError).toBeVisible();
  expect(await desk.ask("What about the green one?")).toBe("triangle");
});

test("a conversation is copied, and saved as Markdown and as JSON, without the picture and without a request", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  await expect(page.getByRole("button", { name: "Copy" })).toBeHidden();
  await desk.ask(QUESTION);
  await desk.ask("What is the pink shape?");

  const [name, text] = await saved(page, "Save as JSON");
  const record = JSON.parse(text) as { turns: { question: string; text: string }[]; picture: Record<string, unknown>; model: object; engine: object };
  expect(name).toBe("shapes.json");
  expect(record.turns.map(({ question, text }) => [question, text.trim()])).toEqual([[QUESTION, "blue"], ["What is the pink shape?", "circle"]]);
  expect(record.picture).toMatchObject({ name: "shapes.png", width: 443, height: 330, columns: 2, rows: 2 });
  expect(record).toMatchObject({ model: { name: "Loupe base" }, engine: { device: { kind: "cpu" } }, turns: [{ usage: {} }, { seed: 0 }] });

  const [markdownName, markdown] = await saved(page, "Save as Markdown");
  expect(markdownName).toBe("shapes.md");
  expect(markdown).toMatch(/^# shapes\.png\n\n443 × 330, cut into 2 × 2 .*\n.*\n\n\*\*What colour is the triangle\?\*\*\n\nblue\n/);
  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.locator("#copied")).toHaveText("Copied.");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(markdown);
  await expect(page.locator("#network")).toContainText("0 requests");
});

test("the detail tells its cost before and after, looks again, and stays in the address", async ({ page }) => {
  const desk = await Desk.open(page);
  const cost = page.locator("#detail-cost");
  await expect(cost).toHaveText(/^Will take at most about 80 of 1,024 tokens$/);
  await desk.see(sample("shapes"));
  await expect(cost).toHaveText(/^Took 84 of 1,024 tokens, 5 views in /);
  await desk.ask(QUESTION);
  await look(page, "Home");
  await expect(desk.caption).toContainText("seen whole");
  await expect(cost).toHaveText(/^Took 16 of 1,024 tokens, 1 view in /);
  // What was said of the closer look is an earlier conversation now.
  await expect(desk.turns).toHaveCount(0);
  await expect(page.getByRole("button", { name: "shapes.png, 1 question" })).toBeVisible();
  expect(new URL(page.url()).search).toBe("?detail=low");

  await page.reload();
  await expect(page.getByText("Nothing leaves this tab")).toBeVisible();
  await expect(cost).toHaveText(/^Will take about 16 of 1,024 tokens$/);
  await desk.see(sample("shapes"));
  await expect(desk.caption).toContainText("seen whole");
  await look(page, "End");
  await expect(desk.caption).toContainText("2 × 2 slices");
  expect(new URL(page.url()).search).toBe("");
});

test("what runs the model is chosen, kept in the address, and the picture stays", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  await page.getByRole("button", { name: "Change the model" }).click();
  await expect(page.locator("#opened")).toHaveText("Open now: Loupe base, 6.5 MB");
  await page.getByRole("radio", { name: "Processor" }).check();
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(desk.device).toHaveText("On the processor: the processor was asked for");
  expect(new URL(page.url()).search).toBe("?device=cpu");
  await expect(desk.picture).toHaveAccessibleName("The picture shapes.png");
  expect(await desk.ask(QUESTION)).toBe("blue");
});

test("whether a model fits is said before it is chosen, and nothing is kept of it", async ({ server, page }) => {
  await Desk.open(page, `?hub=${server.origin}`);
  await page.getByRole("button", { name: "Change the model" }).click();
  await page.getByLabel("From the network").fill("o/r:Q8_0");
  await page.getByRole("button", { name: "Does it fit?" }).click();
  await expect(page.locator("#verdict")).toHaveText(/^6\.5 MB to fetch\. The model needs \d+ MB of memory: .* fits\.$/);
  await page.getByLabel("From the network").fill("no/body");
  await page.getByRole("button", { name: "Does it fit?" }).click();
  await expect(page.locator("#models-error")).toContainText("there is no such thing");
  await expect(page.locator("#verdict")).toBeHidden();
  await expect(page.locator("#stored li")).toHaveCount(0);
});
