// The documentation: every snippet is checked and run, every page can be used by everybody, and all that is exported is explained.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@playwright/test";
import { entries } from "../../www/docs/reference.js";
import { faults } from "./axe.js";
import { ROOT, sample } from "./desk.js";
import { PACKAGE, test } from "./models.js";
import { checked, page as pageOf, snippets } from "./snippets.js";

/** What each name leads to on a page without a bundler: the package's own table. */
const IMPORTS = Object.fromEntries(
  Object.entries((JSON.parse(readFileSync(`${ROOT}/pkg/package.json`, "utf8")) as { exports: Record<string, { default: string }> }).exports).map(
    ([path, { default: file }]) => [join("loupe-vlm", path), file.replace("./dist/", `${PACKAGE}`)],
  ),
);

test("every snippet agrees with the package's types", () => {
  const folder = `${ROOT}/target/snippets`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const all = snippets();
  for (const [at, snippet] of all.entries()) writeFileSync(`${folder}/s${at}.tsx`, checked(snippet.language === "html" ? { ...snippet, code: "" } : snippet));
  const options = { jsx: "react-jsx", noUncheckedIndexedAccess: false, exactOptionalPropertyTypes: false, declaration: false, noEmit: true, rootDir: "../..", types: [] };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ extends: "../../www/lib/tsconfig.json", compilerOptions: { ...options, rootDirs: [] }, include: ["*.tsx"] }));
  let complaints = "";
  try {
    execFileSync("npx", ["--no-install", "tsc", "-p", folder], { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    complaints = (error as { stdout: string }).stdout;
  }
  expect(complaints.replace(/s(\d+)\.tsx/g, (_, at: string) => all[Number(at)]?.place ?? at)).toBe("");
  expect(all.length).toBeGreaterThan(15);
});

for (const snippet of snippets().filter(({ runs }) => runs)) {
  test(`${snippet.place} does what it says`, async ({ context, server }) => {
    await context.grantPermissions(["local-network-access"]);
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(error.message));
    await page.route("**/snippet.html", (route) => route.fulfill({ contentType: "text/html", body: pageOf(snippet, IMPORTS) }));
    for (const name of ["picture.png", "receipt.jpg"]) await page.route(`**/${name}`, (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
    // The hub, as far as this is concerned.
    await context.route("https://huggingface.co/**", (route) => {
      const body = server.files.get(new URL(route.request().url()).pathname.replace("/owner/repo", "/o/r"));
      return body ? route.fulfill({ body, headers: { "Access-Control-Allow-Origin": "*" } }) : route.fulfill({ status: 404 });
    });
    await page.goto(`${PACKAGE}snippet.html`);
    if (snippet.language === "html") {
      await page.waitForFunction(() => customElements.get("loupe-ask") !== undefined);
      const element = page.locator("loupe-ask").last();
      const answer = await element.evaluate((ask) => (ask as HTMLElementTagNameMap["loupe-ask"]).ask("What colour is the triangle?"));
      expect(answer?.text.trim()).toBe("blue");
    } else {
      const ran = await page.waitForFunction(() => (window as { ran?: unknown }).ran !== undefined && { ran: String((window as { ran?: unknown }).ran), failed: (window as { ran?: unknown }).ran instanceof Error });
      const { ran: text, failed } = (await ran.jsonValue()) as { ran: string; failed: boolean };
      expect(failed, text).toBe(false);
      // What is to be shown was shown.
      if (/output\.append|\buse\(/.test(snippet.code)) expect(text.trim()).not.toBe("");
      if (/append\(text\)/.test(snippet.code) && /triangle\?/.test(snippet.code)) expect(text.trim()).toBe("blue");
    }
    expect(wrong).toEqual([]);
    await page.close();
  });
}

for (const [colorScheme, width] of [["light", 1100], ["dark", 360]] as const) {
  test(`every page is for everybody in ${colorScheme} mode, ${width} pixels wide, and leads nowhere that is not`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 860 });
    await page.goto("./docs.html");
    const pages = await page.locator(".docs-pages a").evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href));
    expect(pages.length).toBe(4);
    for (const address of pages) {
      await page.goto(address);
      expect(await faults(page), address).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), address).toBeLessThanOrEqual(0);
      const lost = await page.locator("a[href^='#']").evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? "").filter((href) => document.getElementById(href.slice(1)) === null));
      expect(lost, address).toEqual([]);
    }
  });
}

test("everything that the package exports is explained, and the reference has it", async ({ page }) => {
  const all = entries(`${ROOT}/pkg`);
  const symbols = all.flatMap(({ name, symbols }) => symbols.map((symbol) => ({ ...symbol, name: `${name} ${symbol.name}` })));
  expect(symbols.length).toBeGreaterThan(60);
  expect(all.filter(({ doc }) => doc === "").map(({ name }) => name)).toEqual([]);
  expect(symbols.filter(({ doc }) => doc === "").map(({ name }) => name)).toEqual([]);
  await page.goto("./docs-reference.html");
  const there = await page.locator(".symbol > h3").allInnerTexts();
  expect([...new Set(symbols.map(({ name }) => name.split(" ")[1]))].sort()).toEqual(there.sort());
});
