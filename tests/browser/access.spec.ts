// Everybody can use it: keyboard, screen reader, light and dark, narrow screens.

import { expect, test, type Page } from "@playwright/test";
import { faults } from "./axe.js";
import { Desk, sample } from "./desk.js";

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [{ width: 1280, height: 860 }, { width: 360, height: 740 }]) {
    test(`no accessibility fault in ${colorScheme} mode, ${viewport.width} pixels wide`, async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(viewport);
      const desk = await Desk.open(page);
      expect(await faults(page)).toEqual([]);
      await desk.see(sample("shapes"));
      await desk.ask("What colour is the triangle?");
      await desk.question.press("Enter");
      await expect(desk.questionError).toBeVisible();
      expect(await faults(page)).toEqual([]);
      // Nothing sticks out sideways.
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    });
  }
}

for (const width of [1280, 360]) {
  test(`nothing moves while the page and its model come, ${width} pixels wide`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript(() => {
      const moved: number[] = [];
      Object.assign(window, { moved });
      new PerformanceObserver((list) => moved.push(...list.getEntries().map((entry) => (entry as unknown as { value: number }).value))).observe({ type: "layout-shift", buffered: true });
    });
    // It is painted before the engine is there.
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route("**/*.wasm", async (route) => {
      await held;
      await route.continue();
    });
    await Desk.visit(page);
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    release();
    await expect(page.getByText("Nothing leaves this tab")).toBeVisible();
    const moved = await page.evaluate(() => (window as unknown as { moved: number[] }).moved);
    // A tenth is what browsers' makers call good; a line that grows by a word or two is far below it.
    expect(moved.reduce((sum, value) => sum + value, 0)).toBeLessThan(0.02);
  });
}

test("the whole journey by keyboard alone", async ({ page }) => {
  const desk = await Desk.open(page);
  await tabTo(page, 'img[alt="Five shapes on white"]', (element, selector) => element.querySelector(selector) !== null);
  await page.keyboard.press("Enter");
  await expect(desk.picture).toBeVisible();
  await tabTo(page, "#question", (element, selector) => element.matches(selector));
  await page.keyboard.type("What colour is the triangle?");
  await page.keyboard.press("Enter");
  expect(await desk.answer(0)).toBe("blue");
  // The answer is read aloud, whole and once.
  await expect(page.getByRole("status")).toHaveText("blue");
  await tabTo(page, "#show-grid", (element, selector) => element.matches(selector));
  await page.keyboard.press("Space");
  await expect(page.locator("#grid")).toBeHidden();
});

/** Presses Tab until the focus is on what is wanted; every stop on the way must show its focus. */
async function tabTo(page: Page, selector: string, found: (element: Element, selector: string) => boolean): Promise<void> {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press("Tab");
    const focus = page.locator(":focus");
    if ((await focus.count()) === 0) continue;
    const seen = await focus.evaluate((element) => {
      const outlined = (of: Element | null) => of !== null && getComputedStyle(of).outlineStyle !== "none";
      return outlined(element) || outlined(element.closest("label"));
    });
    expect(seen, "the focus can be seen").toBe(true);
    if (await focus.evaluate(found, selector)) return;
  }
  throw new Error(`Tab never reached ${selector}.`);
}
