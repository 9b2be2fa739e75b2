// Every form in which a page may have a picture, and what becomes of what is none.

import { expect } from "@playwright/test";
import { test } from "./models.js";

test("a picture is the same picture in every form that a page may have it in", async ({ bare }) => {
  const found = await bare.evaluate(async () => {
    const { picture } = window;
    const loupe = await window.loupe.Loupe.load();
    const bytes = await picture.arrayBuffer();
    const bitmap = await createImageBitmap(picture);
    const { width, height } = bitmap;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const offscreen = new OffscreenCanvas(width, height);
    for (const one of [canvas, offscreen]) (one.getContext("2d") as CanvasRenderingContext2D).drawImage(bitmap, 0, 0);
    const image = new Image();
    image.src = URL.createObjectURL(picture);
    const data = await new Promise<string>((resolve) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result as string));
      reader.readAsDataURL(picture);
    });
    const video = Object.assign(document.createElement("video"), { muted: true, srcObject: canvas.captureStream() });
    // A canvas gives its stream a frame when it is drawn.
    const drawing = setInterval(() => (canvas.getContext("2d") as CanvasRenderingContext2D).drawImage(bitmap, 0, 0), 10);
    await video.play();
    clearInterval(drawing);
    const sources = {
      blob: picture,
      buffer: bytes,
      bytes: new Uint8Array(bytes),
      words: new DataView(bytes),
      bitmap,
      pixels: (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, width, height),
      wide: (offscreen.getContext("2d") as OffscreenCanvasRenderingContext2D).getImageData(0, 0, width, height, { colorSpace: "display-p3" }),
      frame: new VideoFrame(canvas, { timestamp: 0 }),
      canvas,
      offscreen,
      image,
      video,
      blobAddress: image.src,
      dataAddress: data,
      percentAddress: `data:image/png,${Array.from(new Uint8Array(bytes), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}`,
      address: "picture.png",
      url: new URL("picture.png", location.href),
    };
    const found: Record<string, string> = {};
    for (const [form, source] of Object.entries(sources)) {
      const { text } = await loupe.ask(source, "What colour is the triangle?");
      const { layout } = await loupe.see(source);
      found[form] = `${layout.width} × ${layout.height}: ${text.trim()}`;
    }
    return found;
  });
  expect(Object.keys(found)).toHaveLength(17);
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((form) => [form, "443 × 330: blue"])));
});

test("transparency is laid on white in every form", async ({ bare }) => {
  const answers = await bare.evaluate(async () => {
    const canvas = new OffscreenCanvas(300, 200);
    const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
    context.fillStyle = "red";
    context.fillRect(60, 50, 100, 100);
    const loupe = await window.loupe.Loupe.load();
    const answers = [];
    for (const source of [await canvas.convertToBlob(), canvas, context.getImageData(0, 0, 300, 200), await createImageBitmap(canvas)]) {
      answers.push((await loupe.ask(source, "What colour is the background?")).text.trim());
    }
    return answers;
  });
  expect(answers).toEqual(["white", "white", "white", "white"]);
});

test("what is no picture is refused, and says what to do", async ({ bare }) => {
  const cases = await bare.evaluate(async () => {
    const { Loupe, LoupeError } = window.loupe;
    const loupe = await Loupe.load();
    await loupe.see(window.picture);
    const closed = await createImageBitmap(window.picture);
    closed.close();
    const broken = new Image();
    broken.src = "data:image/png;base64,AAAA";
    const sources: [name: string, source: unknown][] = [
      ["a number", 7],
      ["nothing", undefined],
      ["a stranger", { picture: 1 }],
      ["no address", "https://"],
      ["another protocol", "ftp://example.org/a.png"],
      ["an address of nothing", "nothing.png"],
      ["a server that is not there", "http://127.0.0.1:1/a.png"],
      ["damaged data", "data:image/png;base64,%%%"],
      ["a closed bitmap", closed],
      ["a broken image", broken],
      ["an empty image", new Image()],
      ["an empty canvas", new OffscreenCanvas(0, 0)],
      ["a video without a frame", document.createElement("video")],
    ];
    const cases: [string, string, string, string][] = [];
    for (const [name, source] of sources) {
      const error: unknown = await loupe.see(source as Blob).then(() => "seen", (error: unknown) => error);
      cases.push(error instanceof LoupeError ? [name, error.kind, error.name, error.message] : [name, String(error), "", ""]);
    }
    // The picture seen before is still there, and so is the engine.
    cases.push(["then", (await loupe.ask("What colour is the triangle?")).text.trim(), "", ""]);
    return cases;
  });
  expect(cases.map(([name, kind, platform]) => [name, kind, platform])).toEqual([
    ["a number", "usage", "TypeError"],
    ["nothing", "usage", "TypeError"],
    ["a stranger", "usage", "TypeError"],
    ["no address", "usage", "TypeError"],
    ["another protocol", "usage", "TypeError"],
    ["an address of nothing", "network", "NetworkError"],
    ["a server that is not there", "network", "NetworkError"],
    ["damaged data", "picture", "EncodingError"],
    ["a closed bitmap", "picture", "EncodingError"],
    ["a broken image", "picture", "EncodingError"],
    ["an empty image", "picture", "EncodingError"],
    ["an empty canvas", "picture", "EncodingError"],
    ["a video without a frame", "picture", "EncodingError"],
    ["then", "blue", ""],
  ]);
  for (const [name, , , message] of cases.slice(0, -1)) expect(message, name).toMatch(/^[A-Z"].*\.$/);
});

test("pictures of another site are read where it allows that, and refused where it does not", async ({ bare, server }) => {
  const bytes = Buffer.from(await bare.evaluate(async () => [...new Uint8Array(await window.picture.arrayBuffer())]));
  for (const name of ["open", "closed"]) server.files.set(`/${name}.png`, bytes);
  server.manner = ({ path }) => ({ closed: path === "/closed.png" });
  const ask = (address: string) =>
    bare.evaluate(async (address) => {
      const loupe = await window.loupe.Loupe.load();
      const image = Object.assign(new Image(), { src: address });
      const kind = (error: unknown) => (error as { kind: string }).kind;
      const ends = [];
      for (const source of [address, image]) ends.push(await loupe.see(source).then(({ layout }) => layout.width, kind));
      loupe.close();
      return ends;
    }, address);
  // The element was not loaded with leave to be read, whatever the server says.
  expect(await ask(`${server.origin}/open.png`)).toEqual([443, "picture"]);
  expect(await ask(`${server.origin}/closed.png`)).toEqual(["network", "picture"]);
});

test("a picture on its way is stopped, or gives way to the next", async ({ bare }) => {
  const held: (() => void)[] = [];
  await bare.route("**/held.png", (route) => void held.push(() => void route.abort().catch(() => undefined)));
  const ends = await bare.evaluate(async () => {
    const name = (error: unknown) => (error as Error).name;
    const loupe = await window.loupe.Loupe.load();
    const stopper = new AbortController();
    const stopped = loupe.see("held.png", { signal: stopper.signal }).catch(name);
    stopper.abort();
    const asked = loupe.ask("held.png", "What is this?").then(String, name);
    await loupe.see(window.picture);
    const before = loupe.see("held.png", { signal: AbortSignal.abort() }).catch(name);
    return [await stopped, await asked, await before, (await loupe.ask("What colour is the triangle?")).text.trim()];
  });
  expect(ends).toEqual(["AbortError", "AbortError", "AbortError", "blue"]);
  for (const release of held) release();
});

test("the same file is asked about again without looking again", async ({ bare }) => {
  const found = await bare.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load();
    const encoded: number[] = [];
    loupe.on("progress", ({ phase, done }) => phase === "encode" && encoded.push(done));
    const first = await loupe.ask(window.picture, "What colour is the triangle?");
    const views = encoded.length;
    const again = await loupe.ask(window.picture, "What colour is the triangle?");
    return { views, more: encoded.length - views, texts: [first.text, again.text], prompts: [first.usage.promptTokens, again.usage.promptTokens] };
  });
  expect(found.views).toBeGreaterThan(0);
  expect(found.more).toBe(0);
  expect(found.texts[0]).toBe(found.texts[1]);
  expect(found.prompts[0]).toBe(found.prompts[1]);
});

test("what can be known before loading is told, and nothing is fetched for it", async ({ bare, server, context }) => {
  const asked: string[] = [];
  context.on("request", (request) => asked.push(request.url()));
  const model = `${server.origin}/m/model.json`;
  const before = await bare.evaluate(async (model) => {
    const { Loupe } = window.loupe;
    const wrong = await Loupe.availability({ model: "no model at all" }).catch((error: Error) => error.name);
    return { report: Loupe.probe(), one: Loupe.probe({ threads: 1 }).engine?.threads, builtIn: await Loupe.availability(), model: await Loupe.availability({ model }), wrong };
  }, model);
  expect(before).toMatchObject({ report: { usable: true, lacks: [], isolated: false }, one: 1, builtIn: "available", model: "downloadable", wrong: "TypeError" });
  expect(asked).toEqual([]);

  // The server says nothing of one file, so that the model stays on its way.
  server.manner = ({ path }) => (path === "/m/mmproj.gguf" ? { stall: 0 } : {});
  await bare.evaluate((model) => {
    const stopper = new AbortController();
    const ended = window.loupe.Loupe.load({ model, signal: stopper.signal }).then(() => "loaded", (error: Error) => error.name);
    Object.assign(window, { leave: () => (stopper.abort(), ended) });
  }, model);
  const available = () => bare.evaluate((model) => window.loupe.Loupe.availability({ model }), model);
  await expect.poll(available).toBe("downloading");
  expect(await bare.evaluate(() => (window as unknown as { leave: () => Promise<string> }).leave())).toBe("AbortError");
  await expect.poll(available).toBe("downloadable");

  server.manner = () => ({});
  const engine = await bare.evaluate(async (model) => (await window.loupe.Loupe.load({ model })).engine, model);
  expect(await available()).toBe("available");
  // What the network runs on is known only when it is there.
  expect(engine).toMatchObject(before.report.engine ?? {});
  expect(before.report.engine).toBeDefined();
});

test("a block that uses Loupe closes it", async ({ bare }) => {
  const kind = await bare.evaluate(async () => {
    const loupe = await window.loupe.Loupe.load();
    loupe[Symbol.dispose]();
    return loupe.see(window.picture).then(String, (error: { kind: string }) => error.kind);
  });
  expect(kind).toBe("usage");
});
