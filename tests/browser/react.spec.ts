// The React hook on a bare page: React's development build, which does every effect twice, and the package's own files.

import { expect, test as base } from "@playwright/test";
import type { UseLoupe } from "../../pkg/dist/react.js";
import { ROOT, sample } from "./desk.js";
import { PACKAGE } from "./models.js";

/** What the page's modules share; React itself publishes none. */
const REACT = `
  export { createElement, StrictMode, useEffect, useState, useSyncExternalStore } from "react";
  export { createRoot } from "react-dom/client";
`;

/** A component as its author would write it, without the syntax that would need a compiler. */
const PAGE = `
  import { createElement as h, createRoot, StrictMode, useState } from "react";
  import { useLoupe } from "./react.js";

  function Ask({ eager }) {
    const loupe = useLoupe({ eager, threads: 1 });
    window.hook = loupe;
    window.rendered.push(loupe.status);
    return h("section", null,
      h("input", { type: "file", "aria-label": "Picture", onChange: ({ target }) => loupe.see(target.files[0]) }),
      h("p", { id: "status" }, loupe.status),
      h("output", null, loupe.answer),
      h("p", { id: "error" }, loupe.error?.message));
  }
  function Page() {
    const [shown, show] = useState(true);
    window.show = show;
    return shown && h(Ask, { eager: location.search === "?eager" });
  }
  window.rendered = [];
  createRoot(document.querySelector("main")).render(h(StrictMode, null, h(Page)));
`;

declare global {
  interface Window {
    hook: UseLoupe;
    rendered: string[];
    show: (shown: boolean) => void;
  }
}

const test = base.extend<object, { react: string }>({
  react: [
    async ({}, use) => {
      const { build } = await import("vite");
      const built = await build({
        root: ROOT,
        configFile: false,
        logLevel: "error",
        mode: "development",
        define: { "process.env.NODE_ENV": '"development"' },
        build: { write: false, minify: false, lib: { entry: "react", formats: ["es"] } },
        plugins: [{ name: "entry", enforce: "pre", resolveId: (_, from) => (from ? null : "\0react"), load: (id) => (id === "\0react" ? REACT : null) }],
      });
      const [{ output }] = built as { output: { code: string }[] }[] as [{ output: [{ code: string }] }];
      await use(output[0].code);
    },
    { scope: "worker" },
  ],
  page: async ({ page, react }, use) => {
    const imports = JSON.stringify({ imports: { react: "./react-itself.js" } });
    const body = `<!doctype html><title>React</title><main></main><script type="importmap">${imports}</script><script type="module">${PAGE}</script>`;
    await page.route("**/react.html*", (route) => route.fulfill({ contentType: "text/html", body }));
    await page.route("**/react-itself.js", (route) => route.fulfill({ contentType: "text/javascript", body: react }));
    await page.route("**/picture.png", (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
    await use(page);
  },
});

test("a picture is asked about, and nothing is loaded before it is wanted", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${PACKAGE}react.html`);
  await expect(page.locator("#status")).toHaveText("idle");
  expect(asked.filter((path) => /engine|worker|models|index/.test(path))).toEqual([]);

  const { name, type, bytes } = sample("shapes");
  await page.getByLabel("Picture").setInputFiles({ name, mimeType: type, buffer: bytes });
  const answer = await page.evaluate(() => window.hook.ask("What colour is the triangle?"));
  expect(answer?.text.trim()).toBe("blue");
  await expect(page.locator("output")).toHaveText("blue");
  await expect(page.locator("#status")).toHaveText("ready");
  expect([...new Set(await page.evaluate(() => window.rendered))]).toEqual(["idle", "loading", "looking", "answering", "ready"]);
});

test("its functions stay the same, and what goes wrong is shown", async ({ page }) => {
  await page.goto(`${PACKAGE}react.html`);
  await expect(page.locator("#status")).toHaveText("idle");
  const same = await page.evaluate(async () => {
    const { see, ask, load, stop } = window.hook;
    await see(new Blob(["no picture"]));
    return see === window.hook.see && ask === window.hook.ask && load === window.hook.load && stop === window.hook.stop;
  });
  expect(same).toBe(true);
  await expect(page.locator("#error")).toContainText("picture");
});

test("a component that goes takes its worker with it, and one that comes back begins anew", async ({ page }) => {
  await page.goto(`${PACKAGE}react.html?eager`);
  await expect(page.locator("#status")).toHaveText("ready");
  // The effects were done twice, and the first worker was ended before the second came.
  expect(page.workers()).toHaveLength(1);
  const looked = await page.evaluate(async () => {
    const looking = window.hook.see("picture.png");
    window.show(false);
    return looking;
  });
  expect(looked).toBeUndefined();
  await expect.poll(() => page.workers().length).toBe(0);

  await page.evaluate(() => window.show(true));
  await expect(page.locator("#status")).toHaveText("ready");
  expect(page.workers()).toHaveLength(1);
});
