// Models from elsewhere: whatever the network does, the very model comes out, or one clear error and nothing is lost.

import { expect, type BrowserContext, type Page } from "@playwright/test";
import type * as Package from "../../pkg/dist/index.js";
import { before } from "./desk.js";
import { sha256, type Asked, type Hostile } from "./hostile.js";
import { CHUNK, isMonotone, LONG, load, openBare, stored, test, TEXT, VISION, type Outcome } from "./models.js";

const TOTAL = LONG.length + VISION.length;
const ANSWER = "blue";

/** The addresses of the long model. */
const long = (origin: string) => `${origin}/m/long.gguf ${origin}/m/mmproj.gguf`;

function isWhole(outcome: Outcome): void {
  expect(outcome.message).toBe(undefined);
  expect(outcome.answer).toBe(ANSWER);
  expect(isMonotone(outcome)).toBe(true);
}

/** Bytes that requests asked for, of a file with so many. */
function bytesOf(asked: readonly Asked[], size: number): number {
  return asked.reduce((sum, { range }) => sum + (range ? Math.min(range[1], size - 1) - range[0] + 1 : size), 0);
}

test("every way of naming a model opens the same one", async ({ server, bare }) => {
  const { origin } = server;
  const hashes = new Set<string | undefined>();
  for (const [model, name] of [
    [`${origin}/m/model.json`, "A model"],
    [`${origin}/m/text.gguf ${origin}/m/mmproj.gguf`, "text"],
    ["o/r", "o/r"],
    ["o/r:q8_0", "o/r:q8_0"],
    [{ version: 1, name: "Inline", files: [{ url: `${origin}/m/mmproj.gguf` }, { url: `${origin}/m/text.gguf` }] }, "Inline"],
  ] as const) {
    const outcome = await load(bare, { model: model as string, hub: origin });
    isWhole(outcome);
    expect(outcome.kept).toEqual({ where: "files", why: "" });
    const [newest] = await stored(bare);
    expect(newest).toMatchObject({ name, complete: true, bytes: TEXT.length + VISION.length });
    hashes.add(outcome.hash);
  }
  // Which file is which, they say themselves: the inline manifest has them the other way round.
  expect(hashes.size).toBe(1);
});

test("the headers come first, and a verdict before the weights", async ({ server, bare }) => {
  const { fit, kind } = await load(bare, { model: long(server.origin), stopAtFit: true });
  expect(kind).toBe("AbortError");
  expect(fit).toMatchObject({ fits: "yes", download: expect.any(Number) });
  expect(fit?.sentence).toMatch(/^The model needs \d.* for its weights, .* so it fits\.$/);
  expect((fit?.weights ?? 0) / (TEXT.length + VISION.length)).toBeGreaterThan(0.9);
  expect(fit?.total).toBe((fit?.weights ?? 0) + (fit?.cache ?? 0) + (fit?.working ?? 0));
  expect(server.bodies("/m/long").every(({ range }) => range?.[0] === 0 && range[1] === CHUNK - 1)).toBe(true);
});

test("a model that has no room is refused before its weights come, and takes none", async ({ server, bare }) => {
  await before(bare, "**/worker.js", () => Object.defineProperty(navigator, "deviceMemory", { value: 2 ** -10 }));
  const { fit, kind, message } = await load(bare, { model: long(server.origin) });
  expect(kind).toBe("memory");
  expect(message).toMatch(/this machine has about 1 MB, so it does not fit; choose a smaller one/);
  expect(fit?.fits).toBe("no");
  expect(server.bodies("/m/long")).toHaveLength(1);
  expect(await stored(bare)).toEqual([]);
});

for (const [what, spoil, word] of [
  ["an unknown architecture", (bytes: Buffer) => replaced(bytes, "general.architecture", "llama", "clamp"), "clamp"],
  ["a file of another pair", (bytes: Buffer) => replaced(bytes, "loupe.pair", undefined, "x"), "not a pair"],
  ["no model at all", () => Buffer.from("<!doctype html><title>Sign in</title>"), "GGUF"],
] as const) {
  test(`${what} is refused at its header`, async ({ server, bare }) => {
    server.manner = ({ path }) => (path === "/m/long.gguf" ? { bytes: spoil(LONG) } : {});
    const { kind, message } = await load(bare, { model: long(server.origin) });
    expect(kind).toBe("model");
    expect(message).toContain(word);
    expect(bytesOf(server.bodies("/m/long"), LONG.length)).toBeLessThanOrEqual(CHUNK);
    expect(await stored(bare)).toEqual([]);
  });
}

test("the rest comes on several connections, each byte once", async ({ server, bare }) => {
  // After the header nobody is served before two have asked: one connection alone would wait for ever.
  let go = (): void => undefined;
  const two = new Promise<void>((resolve) => (go = resolve));
  server.manner = ({ path, before }) => {
    if (path !== "/m/long.gguf" || before === 0) return {};
    if (before === 2) go();
    return { after: two };
  };
  // A second copy of the tail makes several spans of what is one: chunks of 1 MB.
  const chunks = chunksOf(LONG, 1 << 20);
  const file = { url: `${server.origin}/m/long.gguf`, size: LONG.length, sha256: sha256(LONG), chunks };
  const outcome = await load(bare, { model: { version: 1, files: [file, { url: `${server.origin}/m/mmproj.gguf` }] } });
  isWhole(outcome);
  expect(server.bodies("/m/long").length).toBeGreaterThan(2);
  expect(bytesOf(server.bodies("/m/long"), LONG.length)).toBe(LONG.length);
  expect(outcome.progress.at(-1)).toMatchObject({ loaded: TOTAL, total: TOTAL, resumed: 0 });
  expect(Math.max(...outcome.progress.map(({ rate }) => rate))).toBeGreaterThan(0);
});

/** Begins to load the long model, of which the server sends `bytes`, in a page of its own, until more than `least` are on the disk. */
async function begin(server: Hostile, context: BrowserContext, bytes: number, least: number): Promise<Page> {
  server.manner = ({ path }) => (path === "/m/long.gguf" ? { holdAt: bytes } : {});
  const page = await openBare(context);
  void load(page, { model: long(server.origin) }).catch(() => undefined);
  const onlooker = await openBare(context);
  await expect.poll(async () => (await stored(onlooker))[0]?.bytes ?? 0).toBeGreaterThan(least);
  await onlooker.close();
  return page;
}

test("a download that is killed goes on where it was, and loses no chunk", async ({ server, context }) => {
  let resumed = 0;
  for (const chunks of [2.3, 4.6, 8.5]) {
    const page = await begin(server, context, chunks * CHUNK, resumed);
    await page.close();
    const other = await openBare(context);
    const [model] = await stored(other);
    // What was on the disk stays there.
    expect(model?.bytes).toBeGreaterThan(resumed);
    expect(model?.complete).toBe(false);
    resumed = model?.bytes ?? 0;
    await other.close();
  }
  server.manner = () => ({});
  server.asked.length = 0;
  const last = await openBare(context);
  const outcome = await load(last, { model: long(server.origin) });
  isWhole(outcome);
  expect(outcome.progress[0]?.resumed).toBe(resumed);
  expect(bytesOf(server.bodies("/m/long"), LONG.length) + bytesOf(server.bodies("/m/mmproj"), VISION.length)).toBeLessThanOrEqual(TOTAL - resumed + 2);
});

test("a renderer that crashes takes nothing with it", async ({ server, context }) => {
  const page = await begin(server, context, 3.5 * CHUNK, CHUNK);
  await page.goto("chrome://crash").catch(() => undefined);
  server.manner = () => ({});
  const outcome = await load(await openBare(context), { model: long(server.origin) });
  isWhole(outcome);
  expect(outcome.progress[0]?.resumed).toBeGreaterThan(0);
});

test("connections that are cut again and again lose nothing", async ({ server, bare }) => {
  server.manner = ({ before }) => ({ cut: 700_000 + before });
  const outcome = await load(bare, { model: long(server.origin), patience: 2000 });
  isWhole(outcome);
  // Every request goes on at the very byte at which the one before was cut.
  expect(server.bodies("/m/").some(({ range }) => range && range[0] % CHUNK !== 0)).toBe(true);
  expect(server.bodies("/m/long").length).toBeLessThan(LONG.length / 700_000 + 16);
});

test("a server that stalls is left and asked again", async ({ server, bare }) => {
  server.manner = ({ before }) => (before % 2 === 1 ? { stall: 200_000 } : {});
  isWhole(await load(bare, { model: long(server.origin), patience: 400 }));
});

test("a server that stalls for good ends in one error, and what came is kept", async ({ server, bare }) => {
  server.manner = ({ range }) => (range && range[0] > 2 * CHUNK ? { stall: 0 } : {});
  const { kind, message } = await load(bare, { model: long(server.origin), patience: 600 });
  expect(kind).toBe("network");
  expect(message).toMatch(/long\.gguf could not be fetched: nothing came for too long; .* what has come is kept\.$/);
  server.manner = () => ({});
  const outcome = await load(bare, { model: long(server.origin) });
  isWhole(outcome);
  expect(outcome.progress[0]?.resumed).toBeGreaterThanOrEqual(CHUNK);
});

for (const [what, manner] of [
  ["a server that gives no parts", { rangeless: true }],
  ["a server that tells no length", { rangeless: true, lengthless: true }],
  ["a server whose headers may not be read", { secretive: true }],
  ["a server without versions", { etag: null }],
] as const) {
  test(`${what} is lived with`, async ({ server, bare }) => {
    server.manner = () => manner;
    const outcome = await load(bare, { model: long(server.origin) });
    isWhole(outcome);
    expect(outcome.progress.at(-1)?.loaded).toBe(TOTAL);
    // Of a file whose size nobody tells, nobody could tell later whether it is whole.
    const lasting = !("lengthless" in manner);
    expect(outcome.kept).toEqual(lasting ? { where: "files", why: "" } : { where: "memory", why: "its server does not say how large it is" });
  });
}

test("a server that gives no parts is cut, and the file comes all the same", async ({ server, bare }) => {
  server.manner = ({ before }) => ({ rangeless: true, ...(before < 2 ? { cut: 9_000_000 } : {}) });
  isWhole(await load(bare, { model: long(server.origin), patience: 2000 }));
});

test("a wrong byte is mended where chunks have hashes", async ({ server, bare }) => {
  const at = 2 * CHUNK + 12_345;
  let flips = 1;
  server.manner = ({ path, range }) => (path === "/m/long.gguf" && flips > 0 && range && range[0] <= at && at <= range[1] ? { flip: (flips -= 1) + at } : {});
  const file = { url: `${server.origin}/m/long.gguf`, size: LONG.length, sha256: sha256(LONG), chunks: chunksOf(LONG, CHUNK) };
  isWhole(await load(bare, { model: { version: 1, files: [file, { url: `${server.origin}/m/mmproj.gguf` }] } }));
  expect(flips).toBe(0);
});

test("a wrong byte is refused where the file has a hash, and the file is fetched anew", async ({ server, bare }) => {
  server.manner = ({ path }) => (path === "/m/text.gguf" ? { flip: TEXT.length - 5, etag: '"same"' } : {});
  const { kind, message } = await load(bare, { model: `${server.origin}/m/model.json` });
  expect(kind).toBe("damaged");
  expect(message).toMatch(/text\.gguf is not the one that was promised: its SHA-256 is/);
  server.manner = ({ path }) => (path === "/m/text.gguf" ? { etag: '"same"' } : {});
  isWhole(await load(bare, { model: `${server.origin}/m/model.json` }));
});

test("a byte that stays wrong is refused for good, whatever is promised of it", async ({ server, bare }) => {
  server.manner = ({ path }) => (path === "/m/long.gguf" ? { flip: CHUNK + 1 } : {});
  const file = { url: `${server.origin}/m/long.gguf`, size: LONG.length, chunks: chunksOf(LONG, CHUNK) };
  const { kind, message } = await load(bare, { model: { version: 1, files: [file, { url: `${server.origin}/m/mmproj.gguf` }] }, patience: 10_000 });
  expect(kind).toBe("damaged");
  expect(message).toContain("its bytes from 4194304 on are not those that were promised");
});

test("a large file that is not kept lies in memory once: an engine that is started again fetches it again", async ({ server, bare }) => {
  await bare.evaluate(async (model) => {
    const loupe = await window.loupe.Loupe.load({ model, keep: false, threads: 1 });
    await loupe.see(window.picture);
    Object.assign(window, { kept: loupe, restarted: new Promise((resolve) => loupe.on("restarted", resolve)) });
  }, long(server.origin));
  expect(bytesOf(server.bodies("/m/long"), LONG.length)).toBe(LONG.length);
  await bare.workers()[0]?.evaluate(() => void setTimeout(() => { throw new Error("the engine's end"); }));
  const answer = await bare.evaluate(async () => {
    const { kept, restarted } = window as unknown as { kept: Package.Loupe; restarted: Promise<{ picture: boolean }> };
    if (!(await restarted).picture) return "no picture";
    return (await kept.ask("What colour is the triangle?")).text.trim();
  });
  expect(answer).toBe(ANSWER);
  expect(bytesOf(server.bodies("/m/long"), LONG.length)).toBe(2 * LONG.length);
});

test("a file that changes while it comes is begun anew, and never mixed", async ({ server, bare }) => {
  // Another text behind the weights: the same model, and another file.
  const other = Buffer.from(LONG);
  other.fill(7, TEXT.length);
  server.manner = ({ path, before }) => (path === "/m/long.gguf" && before >= 2 ? { bytes: other } : {});
  const outcome = await load(bare, { model: long(server.origin) });
  isWhole(outcome);
  server.manner = () => ({});
  server.files.set("/m/long.gguf", other);
  const whole = await load(bare, { model: long(server.origin), keep: false });
  expect(outcome.hash).toBe(whole.hash);
});

test("a file that changed since the last visit is begun anew", async ({ server, context }) => {
  await (await begin(server, context, 3.5 * CHUNK, CHUNK)).close();
  const other = Buffer.from(LONG);
  other.fill(7, TEXT.length);
  server.files.set("/m/long.gguf", other);
  server.manner = () => ({});
  const page = await openBare(context);
  const outcome = await load(page, { model: long(server.origin) });
  isWhole(outcome);
  expect(outcome.hash).toBe((await load(page, { model: long(server.origin), keep: false })).hash);
  // Whole and kept, it is asked about at the next visit, and taken from here as long as it is the same.
  server.asked.length = 0;
  expect((await load(page, { model: long(server.origin) })).hash).toBe(outcome.hash);
  expect(bytesOf(server.bodies("/m/long"), LONG.length)).toBe(1);
  server.files.set("/m/long.gguf", LONG);
  expect((await load(page, { model: long(server.origin) })).hash).not.toBe(outcome.hash);
});

test("a server that lets no other site read says so in one error", async ({ server, bare }) => {
  server.manner = () => ({ closed: true });
  const { kind, message } = await load(bare, { model: long(server.origin), patience: 10_000 });
  expect(kind).toBe("network");
  expect(message).toMatch(/does not let pages of other sites read this \(CORS\)/);
});

for (const [model, word] of [
  ["o/none", "there is no such thing"],
  ["HERE/m/nothing.json", "there is no such thing"],
  ["HERE/m/none.gguf HERE/m/mmproj.gguf", "none.gguf could not be fetched: it is not on the server (status 404)"],
] as const) {
  test(`${model} is said to be missing`, async ({ server, bare }) => {
    const { kind, message } = await load(bare, { model: model.replaceAll("HERE", server.origin), hub: server.origin });
    expect(kind).toBe("network");
    expect(message).toContain(word);
  });
}

for (const [model, kind, word] of [
  ["o/r:Q2_K", "model", "of the kind Q2_K; there is m-f16.gguf, m-Q8_0.gguf"],
  ["HERE/m/text.gguf", "usage", "A model is two GGUF files"],
  ["one two three", "usage", "names no model"],
] as const) {
  test(`${model} is refused in words`, async ({ server, bare }) => {
    const outcome = await load(bare, { model: model.replaceAll("HERE", server.origin), hub: server.origin });
    expect(outcome).toMatchObject({ kind, message: expect.stringContaining(word) });
  });
}

/** Hashes of parts of so many bytes. */
function chunksOf(bytes: Buffer, size: number): { size: number; sha256: string[] } {
  const count = Math.ceil(bytes.length / size);
  return { size, sha256: Array.from({ length: count }, (_, i) => sha256(bytes.subarray(i * size, (i + 1) * size))) };
}

/** The same file with the text of `key` begun by other letters. */
function replaced(bytes: Buffer, key: string, was: string | undefined, by: string): Buffer {
  const changed = Buffer.from(bytes);
  // The key, the type (u32), the length (u64), then the text.
  const at = changed.indexOf(key) + key.length + 4 + 8;
  if (was !== undefined) expect(changed.toString("latin1", at, at + was.length)).toBe(was);
  changed.write(by, at, "latin1");
  return changed;
}
