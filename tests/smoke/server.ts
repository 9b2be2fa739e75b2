// A file server for smoke apps: each below its name, under the headers that a test asks for.

import { createServer, type Server } from "node:http";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, resolve } from "node:path";
import { json } from "node:stream/consumers";

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".wasm": "application/wasm",
};

/** Where `build.mjs` put the apps. */
export const FOLDER = process.env["LOUPE_SMOKE"] ?? resolve(import.meta.dirname, "../../target/smoke");
/** Headers of a page that may share memory among threads. */
export const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export class Apps {
  /** What every answer says besides, and that with a sealed worker in it. */
  headers: Record<string, string> = {};
  sealed: Record<string, string> = {};
  /** What a page told that was asked to. */
  readonly report: Promise<Record<string, string>>;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;

  constructor(folder: string) {
    let tell: (found: unknown) => void;
    this.report = new Promise((resolve) => (tell = resolve as typeof tell));
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      this.asked.push(pathname);
      if (pathname === "/report") return void json(request).then((found) => tell(found)).finally(() => response.end());
      if (pathname === "/favicon.ico") return response.writeHead(204).end();
      const path = normalize(decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
      readFile(join(folder, path)).then(
        (bytes) => response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", "Content-Length": bytes.length, ...this.headers, ...(/\bsealed-/.test(path) && this.sealed) }).end(bytes),
        () => response.writeHead(404).end(),
      );
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
