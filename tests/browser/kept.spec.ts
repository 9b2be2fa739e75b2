// What was fetched is kept: listed, opened without a network, deleted; and where there is no room for it, done without.

import { expect, type Page } from "@playwright/test";
import { before } from "./desk.js";
import { isMonotone, load, openBare, stored, test, TEXT, VISION } from "./models.js";

const TOTAL = TEXT.length + VISION.length;

/** Has private files refused, as private windows of some browsers do. */
function withoutFiles(page: Page): Promise<void> {
  return before(page, "**/worker.js", () => {
    navigator.storage.getDirectory = () => Promise.reject(new DOMException("Not in private windows.", "SecurityError"));
  });
}

for (const name of ["HERE/m/model.json", "HERE/m/text.gguf HERE/m/mmproj.gguf", "o/r"]) {
  test(`${name} opens again without a network`, async ({ server, context }) => {
    const [model, hub] = [name.replaceAll("HERE", server.origin), server.origin];
    const first = await load(await openBare(context), { model, hub });
    expect(first.answer).toBe("blue");
    const page = await openBare(context);
    const { source } = (await stored(page))[0] ?? {};
    // By the name under which it is listed, it opens without asking anybody.
    server.asked.length = 0;
    const listed = await load(page, { model: source ?? "", hub, offline: true });
    expect(listed).toMatchObject({ answer: "blue", hash: first.hash });
    expect(server.asked).toEqual([]);
    await server.stop();
    const cut = await load(page, { model, hub, patience: 300 });
    expect(cut).toMatchObject({ answer: "blue", hash: first.hash, kept: { where: "files" } });
    expect(isMonotone(cut)).toBe(true);
    expect(cut.progress.at(-1)).toMatchObject({ loaded: TOTAL, resumed: TOTAL });
  });
}

test("what is not kept is not asked for when no network is to be asked", async ({ server, bare }) => {
  const { kind, message } = await load(bare, { model: `${server.origin}/m/text.gguf ${server.origin}/m/mmproj.gguf`, offline: true });
  expect(kind).toBe("network");
  expect(message).toContain("is not kept here");
  expect(server.asked).toEqual([]);
});

test("a model that is deleted is gone, and the others are not", async ({ server, bare }) => {
  const [one, two] = ["o/r", "o/r:Q8_0"];
  for (const model of [one, two]) await load(bare, { model, hub: server.origin, silent: true });
  const { used } = await bare.evaluate(() => window.loupe.models.room());
  expect(used).toBeGreaterThan(2 * TOTAL);
  await bare.evaluate(async () => {
    const first = (await window.loupe.models.list()).find(({ name }) => name === "o/r");
    await window.loupe.models.delete(first?.id ?? "");
  });
  expect((await stored(bare)).map(({ name }) => name)).toEqual([two]);
  server.asked.length = 0;
  expect((await load(bare, { model: two, hub: server.origin, offline: true })).answer).toBe("blue");
  expect((await load(bare, { model: one, hub: server.origin, offline: true })).kind).toBe("network");
  expect(server.asked.filter(({ path }) => path.endsWith(".gguf"))).toEqual([]);
});

test("what the disk lost is fetched once more, and nothing else", async ({ server, bare }) => {
  const model = `${server.origin}/m/model.json`;
  const whole = await load(bare, { model });
  await bare.evaluate(async () => {
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle("loupe-models");
    for await (const folder of all.values()) {
      const file = await (folder as FileSystemDirectoryHandle).getFileHandle("1.gguf");
      const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
      bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
      const stream = await file.createWritable();
      await stream.write(bytes);
      await stream.close();
    }
  });
  server.asked.length = 0;
  const { kind } = await load(bare, { model, offline: true });
  expect(kind).toBe("damaged");
  const again = await load(bare, { model });
  expect(again).toMatchObject({ answer: "blue", hash: whole.hash });
  expect(server.bodies("/m/text")).toEqual([]);
});

test("a kept model that has no room in memory one day stays for another", async ({ server, context }) => {
  const hub = server.origin;
  expect((await load(await openBare(context), { model: "o/r", hub, silent: true })).kind).toBe(undefined);
  const page = await openBare(context);
  await before(page, "**/worker.js", () => Object.defineProperty(navigator, "deviceMemory", { value: 2 ** -10 }));
  expect((await load(page, { model: "o/r", hub })).kind).toBe("memory");
  expect(await stored(page)).toMatchObject([{ name: "o/r", complete: true }]);
});

test("two pages that want the same model fetch it once", async ({ server, context }) => {
  server.manner = () => ({ rate: 4e6 });
  const model = "o/r";
  const pages = await Promise.all([openBare(context), openBare(context)]);
  const both = await Promise.all(pages.map((page) => load(page, { model, hub: server.origin })));
  expect(both.map(({ answer }) => answer)).toEqual(["blue", "blue"]);
  expect(server.bodies("/o/r/resolve")).toHaveLength(2);
});

test("without private files the cache keeps it, and without both it is done without", async ({ server, context }) => {
  const page = await openBare(context);
  await withoutFiles(page);
  const hub = server.origin;
  const first = await load(page, { model: "o/r", hub });
  expect(first).toMatchObject({ answer: "blue", kept: { where: "cache", why: "" } });
  expect(await stored(page)).toMatchObject([{ name: "o/r", complete: true, bytes: TOTAL }]);
  const again = await load(page, { model: "o/r", hub, offline: true });
  expect(again).toMatchObject({ answer: "blue", hash: first.hash });
  await page.evaluate(async () => window.loupe.models.delete((await window.loupe.models.list())[0]?.id ?? ""));
  expect(await stored(page)).toEqual([]);

  const other = await openBare(context);
  await before(other, "**/worker.js", () => {
    navigator.storage.getDirectory = () => Promise.reject(new DOMException("Not in private windows.", "SecurityError"));
    caches.open = () => Promise.reject(new DOMException("Not here either.", "SecurityError"));
  });
  const last = await load(other, { model: "o/r", hub });
  expect(last).toMatchObject({ answer: "blue", hash: first.hash, kept: { where: "memory", why: expect.stringContaining("gives no room") } });
  expect(await stored(other)).toEqual([]);
});

test("where there is no room it is opened all the same, and said", async ({ server, context }) => {
  const page = await openBare(context);
  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 2_000_000 });
  const full = await load(page, { model: "o/r", hub: server.origin });
  expect(full.message).toBe(undefined);
  expect(full).toMatchObject({ answer: "blue", kept: { where: "memory" } });
  expect(full.kept?.why).toMatch(/^there is room for .*, and .* are missing$|^there is no more room to keep it$/);
});

test("a disk that runs full half way costs nothing that came", async ({ server, bare }) => {
  await before(bare, "**/worker.js", () => {
    const { createSyncAccessHandle } = FileSystemFileHandle.prototype as unknown as { createSyncAccessHandle(): Promise<object> };
    let room = 4_000_000;
    Object.assign(FileSystemFileHandle.prototype, {
      async createSyncAccessHandle(this: FileSystemFileHandle) {
        const handle = (await createSyncAccessHandle.call(this)) as { write(bytes: Uint8Array, options: object): number };
        const write = handle.write.bind(handle);
        handle.write = (bytes, options) => ((room -= bytes.length) < 0 ? 0 : write(bytes, options));
        return handle;
      },
    });
  });
  const hub = server.origin;
  const full = await load(bare, { model: "o/r", hub });
  expect(full).toMatchObject({ answer: "blue", kept: { where: "memory", why: "there is no more room to keep it" } });
  expect(isMonotone(full)).toBe(true);
  await bare.unrouteAll();
  await bare.route("**/picture.png", (route) => route.continue());
  const [begun] = await stored(bare);
  expect(begun?.complete).toBe(false);
  expect(begun?.bytes).toBeGreaterThan(3_000_000);
  const next = await load(bare, { model: "o/r", hub });
  expect(next).toMatchObject({ answer: "blue", hash: full.hash, kept: { where: "files" } });
  expect(next.progress.at(-1)?.resumed).toBe(begun?.bytes);
});

test("loading can be stopped at any moment, and goes on afterwards", async ({ server, bare }) => {
  server.manner = () => ({ rate: 3e6 });
  for (const stopAfter of [0, 50, 200, 500, 900, 1500]) {
    const { kind } = await load(bare, { model: "o/r", hub: server.origin, stopAfter });
    if (kind !== undefined) expect(kind).toBe("AbortError");
  }
  server.manner = () => ({});
  expect((await load(bare, { model: "o/r", hub: server.origin })).answer).toBe("blue");
});
