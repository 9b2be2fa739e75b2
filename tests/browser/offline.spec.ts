// After the first visit the page needs no network: it opens, looks and answers, as isolated as before, and keeps no picture.

import { expect, test, type Page } from "@playwright/test";
import { faults } from "./axe.js";
import { Desk, NO_THREADS, sample, THREADS } from "./desk.js";

test.use({ serviceWorkers: "allow" });

const KEPT = "The page itself is kept in this browser, and opens without a network";

/** The paths of all that this site keeps in caches, without the hashes in names. */
function kept(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const found: string[] = [];
    for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) found.push(new URL(url).pathname);
    return found.map((path) => path.replace(/-[\w-]{8}(?=\.\w+$)/, "")).sort();
  });
}

test("the page opens without a network, isolated as before, and answers", async ({ page, context }) => {
  const desk = await Desk.open(page);
  await expect(page.locator("#offline")).toHaveText(KEPT);
  const before = await page.evaluate(() => crossOriginIsolated);
  const engine = await desk.engine.innerText();
  const files = await kept(page);
  await desk.see(sample("shapes"));
  // Neither the picture nor anything else that the visit brought is kept beside the page's own files.
  expect(await kept(page)).toEqual(files);
  // One engine, the one that runs here.
  expect(files.filter((path) => path.endsWith(".wasm"))).toHaveLength(1);

  await context.setOffline(true);
  await page.reload();
  await expect(page.getByText("Nothing leaves this tab")).toBeVisible();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(before);
  await expect(desk.engine).toHaveText(engine);
  await desk.see(sample("shapes"));
  expect(await desk.ask("What colour is the triangle?")).toBe("blue");
  await expect(page.locator("#network")).toContainText("0 requests since the model was loaded");
  await expect(page.locator("#offline")).toHaveText(KEPT);
  expect(await faults(page)).toEqual([]);
  // So does what lies beside it.
  const other = await context.newPage();
  await other.goto("./bench.html?device=cpu");
  await expect(other.getByRole("button", { name: "Run" })).toBeEnabled();
  await other.close();
  // There was indeed no network, and what asks for it is counted.
  expect(await page.evaluate(() => fetch("./nowhere").then(() => "an answer", () => "no network"))).toBe("no network");
  await expect(page.locator("#network")).toContainText("1 request since the model was loaded");
});

test("settings in the address hold without a network, and so does an engine that was not there before", async ({ page, context }) => {
  test.skip(!THREADS, NO_THREADS);
  await Desk.open(page);
  await expect(page.locator("#offline")).toHaveText(KEPT);
  // A visit with another engine, which is kept beside the first.
  const desk = await Desk.open(page, "?engine=base");
  await expect(page.locator("#offline")).toHaveText(KEPT);
  await context.setOffline(true);
  for (const [query, engine] of [["?engine=base&detail=low", /^Engine base on 1 thread/], ["?detail=low", /^Engine relaxed/]] as const) {
    await page.goto(`./${query}`);
    await expect(page.getByText("Nothing leaves this tab")).toBeVisible();
    await expect(desk.engine).toHaveText(engine);
    await desk.see(sample("shapes"));
    await expect(desk.caption).toContainText("seen whole");
  }
});

test("what the manifest names is there", async ({ page, request, baseURL }) => {
  await page.goto("./");
  const address = new URL((await page.locator('link[rel="manifest"]').getAttribute("href")) ?? "", baseURL).href;
  const manifest = (await (await request.get(address)).json()) as { icons: { src: string; sizes: string; purpose?: string }[]; start_url: string };
  expect(manifest.icons.map(({ purpose = "any" }) => purpose)).toContain("maskable");
  for (const { src, sizes } of manifest.icons) {
    const size = await page.evaluate(async (src) => {
      const bitmap = await createImageBitmap(await (await fetch(src)).blob());
      return `${bitmap.width}x${bitmap.height}`;
    }, new URL(src, address).href);
    expect(size).toBe(sizes);
  }
});
