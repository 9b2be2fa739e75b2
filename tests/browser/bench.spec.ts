// The page that measures: it runs, can be stopped, says what it found, and sends nothing.

import { readFileSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { faults } from "./axe.js";

interface Report {
  readonly version: number;
  readonly views: number;
  readonly promptTokens: number;
  readonly engine: { readonly artefact: string; readonly device: { readonly kind: string } };
  readonly model: { readonly name: string };
  readonly measures: readonly { readonly name: string; readonly unit: string; readonly samples: readonly number[] }[];
}

for (const [colorScheme, width] of [["light", 1100], ["dark", 360]] as const) {
  test(`it measures at one press, in ${colorScheme} mode, ${width} pixels wide`, async ({ page, context }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 860 });
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto("./bench.html?device=cpu");
    await expect(page.getByRole("radio", { name: "Processor" })).toBeChecked();
    expect(await faults(page)).toEqual([]);
    const places = () => page.locator(".bench > *").evaluateAll((all) => all.map((element) => element.getBoundingClientRect().top));
    const empty = await places();
    // Whatever is asked for lies with the page itself.
    const elsewhere: string[] = [];
    const { origin } = new URL(page.url());
    context.on("request", (request) => void (new URL(request.url()).origin !== origin && elsewhere.push(request.url())));

    await page.getByRole("button", { name: "Run" }).focus();
    await page.keyboard.press("Enter");
    await expect(page.locator("#status")).toHaveText(/^Done on the processor, \d threads?$/);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save as JSON" }).click();
    const report = JSON.parse(readFileSync(await (await download).path(), "utf8")) as Report;
    expect(report).toMatchObject({ version: 1, views: 5, model: { name: "Loupe base" }, engine: { device: { kind: "cpu" } } });
    expect(report.promptTokens).toBeGreaterThan(84);
    expect(report.measures.map(({ name, samples }) => [name, samples.length])).toEqual([["load", 3], ["look", 5], ["read", 5], ["first", 5], ["answer", 5]]);
    for (const { samples } of report.measures) for (const sample of samples) expect(sample).toBeGreaterThan(0);
    // What the table shows is what was found.
    const looks = report.measures[1]?.samples.toSorted((a, b) => a - b) ?? [];
    await expect(page.getByRole("row", { name: /^Looking/ }).locator("td").first()).toHaveText(words(looks[2] ?? NaN));
    // Nothing has moved, and all of it can be used by everybody.
    expect(await places()).toEqual(empty);
    expect(await faults(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(elsewhere).toEqual([]);
    expect(complaints).toEqual([]);
  });
}

test("measuring is stopped, and what cannot be measured is said", async ({ page }) => {
  await page.goto("./bench.html");
  // The model does not come until the test has seen that it is being fetched.
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/mmproj*.gguf", async (route) => {
    await held;
    await route.abort();
  });
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.locator("#status")).toHaveText("Loading once, to warm up");
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#status")).toHaveText("Stopped");
  await expect(page.getByRole("button", { name: "Save as JSON" })).toBeDisabled();
  release();
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByRole("alert")).toContainText("mmproj");
  await expect(page.locator("#status")).toHaveText("Not measured");
  await page.unroute("**/mmproj*.gguf");
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.locator("#status")).toHaveText(/^Done/);
  await expect(page.getByRole("alert")).toBeHidden();
});

/** Milliseconds as the page says them. */
function words(ms: number): string {
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
