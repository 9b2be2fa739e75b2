// Another model in the page: by a link, by name, from files, and again from what is kept.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, type Page } from "@playwright/test";
import { Desk, ROOT, sample } from "./desk.js";
import { test } from "./models.js";

const QUESTION = "What colour is the triangle?";
const FILES = ["loupe-base-q8_0.gguf", "mmproj-loupe-base-q8_0.gguf"].map((name) => `${ROOT}/models/${name}`);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function choose(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Change the model" }).click();
  await expect(page.getByRole("dialog", { name: "Choose a model" })).toBeVisible();
}

test("a link opens a model, and the page says that it is kept", async ({ server, page }) => {
  const desk = await Desk.open(page, `?model=o/r&hub=${server.origin}`);
  await expect(page.locator("#model")).toContainText("Kept in this browser: it opens without a network");
  await expect(page.locator(".honest")).toBeHidden();
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe("blue");
});

test("a model is fetched by name, the picture stays, and later it opens with the network cut", async ({ server, page, context }) => {
  const desk = await Desk.open(page, `?hub=${server.origin}`);
  const workers = page.workers().length;
  await desk.see(sample("shapes"));
  await choose(page);
  await page.getByLabel("From the network").fill("o/r:Q8_0");
  await page.keyboard.press("Enter");
  await expect(page.locator("#model")).toContainText("Kept in this browser");
  // The picture is shown to the new model too, which is asked about it.
  await expect(desk.picture).toHaveAccessibleName("The picture shapes.png");
  expect(await desk.ask(QUESTION)).toBe("blue");
  expect(new URL(page.url()).searchParams.get("model")).toBe("o/r:Q8_0");

  await choose(page);
  await page.getByRole("button", { name: "Use the built-in model" }).click();
  await expect(page.locator("#network")).toContainText("0 requests");
  expect(new URL(page.url()).searchParams.get("model")).toBe(null);

  const asked = server.asked.length;
  await choose(page);
  await context.route(`${server.origin}/**`, (route) => route.abort());
  await page.getByRole("button", { name: "o/r:Q8_0 6.5 MB, opens without a network" }).click();
  await expect(page.locator("#model")).toContainText("Kept in this browser");
  expect(await desk.ask(QUESTION)).toBe("blue");
  // The workers of the models before are gone. What runs has nothing to fetch when it has to be replaced either.
  await expect.poll(() => page.workers().length).toBe(workers);
  await desk.trap();
  await expect(desk.questionError).toBeVisible();
  expect(await desk.ask(QUESTION)).toBe("blue");
  expect(server.asked.length).toBe(asked);

  await choose(page);
  await page.getByRole("button", { name: "Delete o/r:Q8_0" }).click();
  await expect(page.locator("#stored li")).toHaveCount(0);
  await expect(page.getByText("Kept in this browser", { exact: true })).toBeHidden();
});

test("two files and a folder open from this machine", async ({ page }) => {
  const desk = await Desk.open(page);
  await choose(page);
  await page.locator("#model-files").setInputFiles([...FILES].reverse());
  await expect(page.locator("#model")).toContainText("Loupe base");
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe("blue");
  await choose(page);
  await page.locator("#model-folder").setInputFiles(`${ROOT}/models`);
  await expect(page.locator("#model")).toContainText("Loupe base");
  expect(await desk.ask(QUESTION)).toBe("blue");
  await choose(page);
  await page.locator("#model-files").setInputFiles(FILES.slice(0, 1));
  await expect(desk.modelError).toHaveText("A model is two GGUF files, the language model and its mmproj file; these are 1.");
  await expect(desk.send).toBeDisabled();
});

test("a model's files can be dropped", async ({ page }) => {
  const desk = await Desk.open(page);
  await desk.see(sample("shapes"));
  const dropped = await page.evaluateHandle(
    (files) => {
      const transfer = new DataTransfer();
      for (const [name, base64] of files) transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      return transfer;
    },
    FILES.map((path) => [path.split("/").pop() ?? "", readFileSync(path).toString("base64")] as const),
  );
  await page.dispatchEvent("body", "drop", { dataTransfer: dropped });
  await expect(page.locator("body")).toHaveAttribute("data-model", "other");
  await expect(page.locator("#model")).toContainText("Loupe base");
  expect(await desk.ask(QUESTION)).toBe("blue");
});

test("fetching says what is needed and how fast it goes, and can be cancelled", async ({ server, page }) => {
  server.manner = ({ path }) => (path.endsWith(".gguf") ? { rate: 1.2e6 } : {});
  const desk = await Desk.visit(page, `?model=${server.origin}/m/long.gguf+${server.origin}/m/mmproj.gguf`);
  await expect(page.locator("#fit")).toHaveText(/^The model needs \d+ MB of memory: .* fits\.$/);
  await expect(desk.status).toHaveText(/Fetching the model, \d+\.\d of 46\.5 MB, .* a second/);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("#network")).toContainText("0 requests");
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe("blue");
  await choose(page);
  await expect(page.locator("#stored li")).toContainText("so far, the rest is fetched");
});

test("a name that is none leaves a sentence, and the next choice works", async ({ server, page }) => {
  const desk = await Desk.open(page, `?hub=${server.origin}`);
  await choose(page);
  await page.getByLabel("From the network").fill("no/body");
  await page.keyboard.press("Enter");
  await expect(desk.modelError).toContainText("there is no such thing");
  await choose(page);
  await page.getByRole("button", { name: "Use the built-in model" }).click();
  await expect(desk.modelError).toBeHidden();
  await desk.see(sample("shapes"));
  expect(await desk.ask(QUESTION)).toBe("blue");
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [{ width: 1280, height: 860 }, { width: 360, height: 740 }]) {
    test(`choosing is for everybody in ${colorScheme} mode, ${viewport.width} pixels wide`, async ({ server, page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(viewport);
      await Desk.open(page, `?model=o/r&hub=${server.origin}`);
      await choose(page);
      await expect(page.locator("#stored li")).toHaveCount(1);
      await page.evaluate(axe);
      const faults = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
        return (await axe.run()).violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
      });
      expect(faults).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    });
  }
}
