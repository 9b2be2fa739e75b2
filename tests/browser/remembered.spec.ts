// A picture that is to be remembered is looked at once, however often the page is opened; any other leaves no trace.

import { expect, type BrowserContext, type Page } from "@playwright/test";
import { before } from "./desk.js";
import { openBare, test } from "./models.js";

interface Outcome {
  readonly answer: string;
  readonly encodeMs: number;
  readonly slices: number;
}

/** Opens the built-in model in a new page, looks and asks. */
async function visit(context: BrowserContext, remember: boolean, prepare: (page: Page) => Promise<unknown> = async () => undefined): Promise<Outcome> {
  const page = await openBare(context);
  await prepare(page);
  const outcome = await page.evaluate(async (remember) => {
    const loupe = await window.loupe.Loupe.load({ threads: 1 });
    const { layout, timings } = await loupe.see(window.picture, { remember });
    const answer = (await loupe.ask("What colour is the triangle?")).text.trim();
    loupe.close();
    return { answer, encodeMs: timings.encodeMs, slices: layout.columns * layout.rows };
  }, remember);
  await page.close();
  return outcome;
}

/** Names and sizes of what is kept of pictures. */
async function kept(context: BrowserContext): Promise<[string, number][]> {
  const page = await openBare(context);
  const found = await page.evaluate(async () => {
    const all = await navigator.storage.getDirectory();
    const folder = await all.getDirectoryHandle("loupe-pictures").catch(() => undefined);
    const files: [string, number][] = [];
    for await (const handle of folder?.values() ?? []) files.push([handle.name, (await (handle as FileSystemFileHandle).getFile()).size]);
    return files;
  });
  await page.close();
  return found;
}

test("a picture that is to be remembered is looked at once", async ({ context }) => {
  const first = await visit(context, true);
  expect(first).toMatchObject({ answer: "blue" });
  expect(first.encodeMs).toBeGreaterThan(0);
  expect(await kept(context)).toHaveLength(1);
  const second = await visit(context, true);
  expect(second).toEqual({ ...first, encodeMs: 0 });
});

test("other pictures leave no trace, and all are forgotten at a word", async ({ context }) => {
  await visit(context, false);
  expect(await kept(context)).toEqual([]);
  await visit(context, true);
  expect(await kept(context)).toHaveLength(1);
  // What is remembered is not asked for where it was not wanted.
  expect((await visit(context, false)).encodeMs).toBeGreaterThan(0);
  const page = await openBare(context);
  await page.evaluate(() => window.loupe.pictures.forget());
  expect(await kept(context)).toEqual([]);
});

test("what is remembered and damaged is looked at anew", async ({ context }) => {
  const first = await visit(context, true);
  expect(await kept(context)).toHaveLength(1);
  const spoil = (page: Page): Promise<void> =>
    page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("loupe-pictures");
      for await (const handle of folder.values()) {
        const file = handle as FileSystemFileHandle;
        const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
        bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
        const stream = await file.createWritable();
        await stream.write(bytes);
        await stream.close();
      }
    });
  const again = await visit(context, true, spoil);
  expect(again).toMatchObject({ answer: first.answer, slices: first.slices });
  expect(again.encodeMs).toBeGreaterThan(0);
});

test("where nothing can be kept the picture is looked at every time", async ({ context }) => {
  const refuse = (page: Page): Promise<void> =>
    before(page, "**/worker.js", () => {
      navigator.storage.getDirectory = () => Promise.reject(new DOMException("Not in private windows.", "SecurityError"));
    });
  for (const _ of [1, 2]) expect((await visit(context, true, refuse)).encodeMs).toBeGreaterThan(0);
});
