// Models on a server of their own, and a bare page that loads them.

import { readFileSync } from "node:fs";
import { test as base, type BrowserContext, type Page } from "@playwright/test";
import type * as Package from "../../pkg/dist/index.js";
import { ROOT, sample } from "./desk.js";
import { Hostile, sha256 } from "./hostile.js";

declare global {
  interface Window {
    loupe: typeof Package;
    picture: Blob;
  }
}

/** Where the package's own folder is served. */
export const PACKAGE = process.env["LOUPE_PACKAGE_URL"] ?? "http://127.0.0.1:8081/";
export const TEXT = readFileSync(`${ROOT}/models/loupe-base-q8_0.gguf`);
export const VISION = readFileSync(`${ROOT}/models/mmproj-loupe-base-q8_0.gguf`);
/** The language model with 40 MB behind its last tensor, which no reader minds: enough for many chunks. */
export const LONG = Buffer.concat([TEXT, Buffer.from(Uint32Array.from({ length: 10_000_000 }, (_, i) => (i * 2_654_435_761) >>> 3).buffer)]);
/** What our own chunks have. */
export const CHUNK = 1 << 22;

/** What loading came to. */
export interface Outcome {
  readonly progress: readonly { loaded: number; total: number; resumed: number; rate: number }[];
  readonly fit: Package.Fit | undefined;
  readonly kept: { where: string; why: string } | undefined;
  readonly hash: string | undefined;
  /** What it answered about a blue triangle. */
  readonly answer: string | undefined;
  readonly kind: string | undefined;
  readonly message: string | undefined;
}

export interface Load {
  readonly model: string | Package.Manifest;
  readonly hub?: string;
  readonly offline?: boolean;
  readonly keep?: boolean;
  readonly patience?: number;
  /** Stop when the verdict is there. */
  readonly stopAtFit?: boolean;
  /** Stop after so many milliseconds. */
  readonly stopAfter?: number;
  /** Ask nothing. */
  readonly silent?: boolean;
}

export const test = base.extend<{ server: Hostile; bare: Page }>({
  server: async ({}, use) => {
    const server = new Hostile();
    await server.start();
    const hash = { text: sha256(TEXT), vision: sha256(VISION) };
    const files: [string, Buffer][] = [["/m/text.gguf", TEXT], ["/m/long.gguf", LONG], ["/m/mmproj.gguf", VISION]];
    for (const [path, bytes] of files) server.files.set(path, bytes);
    const manifest = { version: 1, name: "A model", files: [{ url: "text.gguf", size: TEXT.length, sha256: hash.text }, { url: "mmproj.gguf", sha256: hash.vision }] };
    server.files.set("/m/model.json", Buffer.from(JSON.stringify(manifest)));
    const listed = (rfilename: string, bytes: Buffer) => ({ rfilename, size: bytes.length, lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } });
    const siblings = [{ rfilename: "README.md", size: 9 }, listed("m-f16.gguf", LONG), listed("m-Q8_0.gguf", TEXT), listed("mmproj-m-Q8_0.gguf", VISION)];
    server.files.set("/api/models/o/r/revision/main", Buffer.from(JSON.stringify({ sha: "c0ffee", siblings })));
    server.files.set("/o/r/resolve/c0ffee/m-Q8_0.gguf", TEXT);
    server.files.set("/o/r/resolve/c0ffee/mmproj-m-Q8_0.gguf", VISION);
    await use(server);
    await server.stop().catch(() => undefined);
  },
  bare: async ({ context }, use) => {
    await use(await openBare(context));
  },
});

/** A page with the package and nothing else. */
export async function openBare(context: BrowserContext): Promise<Page> {
  // A worker whose script a test changes on its way is taken for one from anywhere, which may not ask this machine.
  await context.grantPermissions(["local-network-access"]);
  const page = await context.newPage();
  const script = `import * as loupe from "./index.js"; window.loupe = loupe;`;
  await page.route("**/bare.html", (route) =>
    route.fulfill({ contentType: "text/html", body: `<!doctype html><title>Bare</title><script type="module">${script}</script>` }),
  );
  await page.route("**/picture.png", (route) => route.fulfill({ body: sample("shapes").bytes, contentType: "image/png" }));
  await page.goto(`${PACKAGE}bare.html`);
  await page.waitForFunction(() => window.loupe !== undefined);
  await page.evaluate(async () => {
    window.picture = await (await fetch("picture.png")).blob();
  });
  return page;
}

/** Loads in the page and asks one question. */
export function load(page: Page, options: Load): Promise<Outcome> {
  return page.evaluate(async ({ stopAtFit, stopAfter, silent, ...options }) => {
    const progress: { loaded: number; total: number; resumed: number; rate: number }[] = [];
    const stopper = new AbortController();
    let fit: Package.Fit | undefined;
    if (stopAfter !== undefined) setTimeout(() => stopper.abort(), stopAfter);
    try {
      const loupe = await window.loupe.Loupe.load({
        ...options,
        signal: stopper.signal,
        onProgress: (now) => progress.push(now),
        onFit: (found) => {
          fit = found;
          if (stopAtFit) stopper.abort();
        },
      });
      let answer: string | undefined;
      if (!silent) {
        await loupe.see(window.picture);
        answer = (await loupe.ask("What colour is the triangle?")).text.trim();
      }
      const { kept, model } = loupe;
      loupe.close();
      return { progress, fit, kept, hash: model.hash, answer, kind: undefined, message: undefined };
    } catch (error) {
      const { name, kind, message } = error as Error & { kind?: string };
      return { progress, fit, kept: undefined, hash: undefined, answer: undefined, kind: kind ?? name, message };
    }
  }, options);
}

/** What is kept, as the package lists it. */
export function stored(page: Page): Promise<{ name: string; source: string; bytes: number; complete: boolean; id: string }[]> {
  return page.evaluate(async () => (await window.loupe.models.list()).map(({ name, source, bytes, complete, id }) => ({ name, source, bytes, complete, id })));
}

/** Only ever more, and at the end all. */
export function isMonotone({ progress }: Outcome): boolean {
  const last = progress.at(-1);
  // The same may be told once more when it turns out to be all.
  const grows = progress.every(({ loaded, total }, i) => loaded > (progress[i - 1]?.loaded ?? -1) || total !== progress[i - 1]?.total);
  return last !== undefined && last.loaded === last.total && grows && progress.every(({ loaded }, i) => loaded >= (progress[i - 1]?.loaded ?? 0));
}
