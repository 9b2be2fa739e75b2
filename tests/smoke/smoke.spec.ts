// The packed package in apps of strangers, each built by its own tool: a question is asked and answered.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { chromium, expect, test as base, type Page } from "@playwright/test";
import { Apps, FOLDER, ISOLATED } from "./server.js";

const STRICT = { "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'" };

const test = base.extend<{ apps: Apps; address: string; complaints: string[] }>({
  apps: async ({}, use) => {
    const apps = new Apps(FOLDER);
    await use(apps);
    apps.stop();
  },
  address: async ({ apps }, use) => {
    await use(await apps.start());
  },
  complaints: async ({ page }, use) => {
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await use(complaints);
  },
});

/** What the app on `page` found, once it has. */
async function found(page: Page): Promise<{ answer: string; engine?: string; seal?: string; requests?: string }> {
  const output = page.locator("output");
  await expect(output).not.toHaveText("");
  return { answer: await output.innerText(), ...(await output.evaluate(({ dataset }) => ({ ...dataset }))) };
}

for (const app of ["bare", "vite", "webpack", "sveltekit"]) {
  for (const query of ["", "?seal"]) {
    test(`${app} ${query ? "sealed" : "as it is"}`, async ({ page, address, complaints }) => {
      await page.goto(`${address}${app}/${query}`);
      expect(await found(page)).toMatchObject({ answer: "blue, blue", requests: "0", seal: query ? "removal" : "" });
      expect(complaints).toEqual([]);
    });
  }
}

test("threads where the page is isolated, in a bundle too", async ({ page, apps, address, complaints }) => {
  apps.headers = ISOLATED;
  await page.goto(`${address}vite/`);
  expect(await found(page)).toMatchObject({ answer: "blue, blue", engine: expect.stringMatching(/^relaxed/) });
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(complaints).toEqual([]);
});

for (const app of ["bare", "vite", "webpack"]) {
  test(`${app} under a strict policy`, async ({ page, apps, address, complaints }) => {
    apps.headers = STRICT;
    await page.goto(`${address}${app}/`);
    expect(await found(page)).toMatchObject({ answer: "blue, blue", requests: "0" });
    expect(complaints.filter((text) => !/favicon/.test(text))).toEqual([]);
  });
}

test("a Next page is rendered by the server, and asks in the browser", async ({ page, apps, address, complaints }) => {
  test.skip(!existsSync(resolve(FOLDER, "next")), "NEXT WAS NOT TESTED: `cargo xtask test --smoke` builds its app too");
  await page.goto(`${address}next/`);
  expect(apps.asked.filter((path) => /\.wasm$|\.gguf$|worker/.test(path))).toEqual([]);
  await page.getByRole("button", { name: "Ask" }).click();
  await expect(page.locator("output")).toHaveText("blue");
  await expect(page.locator("output")).toHaveAttribute("data-status", "ready");
  expect(complaints).toEqual([]);
});

test("a kept model is opened and asked without a network", async ({ page, context, apps, address }) => {
  await page.goto(`${address}bare/`);
  await found(page);
  const [where, loupe, picture] = await page.evaluateHandle(async () => {
    const { Loupe } = (await import("/bare/loupe-vlm/dist/index.js" as string)) as typeof import("../../pkg/dist/index.js");
    const at = new URL("loupe-vlm/dist/models/", location.href).href;
    const model = `${at}loupe-base-q8_0.gguf ${at}mmproj-loupe-base-q8_0.gguf`;
    const first = await Loupe.load({ model });
    first.close();
    return [first.kept.where, { Loupe, model }, await (await fetch("picture.png")).blob()] as const;
  }).then((all) => Promise.all([all.evaluate(([where]) => where), all.evaluateHandle(([, loupe]) => loupe), all.evaluateHandle(([, , picture]) => picture)]));
  expect(where).toBe("files");
  const before = apps.asked.length;
  const opened = await loupe.evaluateHandle(({ Loupe, model }) => Loupe.load({ model, offline: true }));
  // The engine's own files are the page's, which keeps them as it keeps itself; from here on nothing is there but what is open.
  await context.setOffline(true);
  const text = await opened.evaluate(async (loupe, picture) => {
    await loupe.see(picture);
    return (await loupe.ask("What colour is the triangle?")).text.trim();
  }, picture);
  expect(text).toBe("blue");
  expect(apps.asked.slice(before).filter((path) => path.endsWith(".gguf"))).toEqual([]);
});

test("an extension (manifest version 3) asks on a page of its own", async ({}, info) => {
  const folder = resolve(FOLDER, "extension");
  // An extension without a key is called after its folder.
  const id = createHash("sha256").update(folder).digest("hex").slice(0, 32).replace(/./g, (digit) => String.fromCharCode(97 + parseInt(digit, 16)));
  const context = await chromium.launchPersistentContext(info.outputPath("profile"), {
    executablePath: process.env["LOUPE_CHROMIUM"] ?? "/usr/bin/chromium",
    headless: false,
    args: ["--headless=new", "--no-sandbox", "--disable-gpu", `--disable-extensions-except=${folder}`, `--load-extension=${folder}`],
  });
  try {
    const page = await context.newPage();
    await page.goto(`chrome-extension://${id}/index.html`);
    expect(await found(page)).toMatchObject({ answer: "blue, blue", requests: "0" });
  } finally {
    await context.close();
  }
});
