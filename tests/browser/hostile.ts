// A file server that misbehaves on demand, on an origin of its own: what lies between a page and a model.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What was asked. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  /** The first byte asked for and the last; undefined for the whole. */
  readonly range: readonly [number, number] | undefined;
  /** How many requests for this path came before. */
  readonly before: number;
}

/** How it is answered; what is left out is honest. */
export interface Manner {
  /** This status and no body. */
  readonly status?: number;
  readonly bytes?: Buffer;
  readonly etag?: string | null;
  /** Ranges are ignored: 200 and the whole. */
  readonly rangeless?: boolean;
  /** The length is not told. */
  readonly lengthless?: boolean;
  /** The connection is cut after so many bytes of the body. */
  readonly cut?: number;
  /** Nothing more comes after so many bytes of the body. */
  readonly stall?: number;
  /** This byte of the file is another. */
  readonly flip?: number;
  /** Other origins may not read it. */
  readonly closed?: boolean;
  /** Other origins may read the body and nothing of the headers. */
  readonly secretive?: boolean;
  /** Bytes a second. */
  readonly rate?: number;
  /** No byte of the file from this one on is sent: the connection stays open and says nothing. */
  readonly holdAt?: number;
  /** The body begins when this is settled. */
  readonly after?: Promise<void>;
}

export class Hostile {
  readonly asked: Asked[] = [];
  readonly files = new Map<string, Buffer>();
  manner: (asked: Asked) => Manner = () => ({});
  readonly #server: Server;
  readonly #tags = new WeakMap<Buffer, string>();
  #origin = "";

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Where it is. */
  get origin(): string {
    return this.#origin;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.#origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As if the network were cut. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Bytes of bodies that were asked for below `path`. */
  bodies(path: string): readonly Asked[] {
    return this.asked.filter((asked) => asked.path.startsWith(path) && asked.method === "GET");
  }

  #tag(bytes: Buffer): string {
    const tag = this.#tags.get(bytes) ?? `"${sha256(bytes).slice(0, 8)}"`;
    this.#tags.set(bytes, tag);
    return tag;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const before = this.asked.filter((asked) => asked.path === path).length;
    const asked: Asked = {
      method: request.method ?? "",
      path,
      range: from === undefined ? undefined : [Number(from), to ? Number(to) : Infinity],
      before,
    };
    this.asked.push(asked);
    const manner = this.manner(asked);
    const whole = manner.bytes ?? this.files.get(path);
    if (!manner.closed) response.setHeader("Access-Control-Allow-Origin", "*");
    if (!manner.secretive) response.setHeader("Access-Control-Expose-Headers", "Content-Range, ETag");
    response.setHeader("Cache-Control", "no-store");
    if (!whole || manner.status) {
      response.writeHead(manner.status ?? 404).end();
      return;
    }
    let body = whole;
    if (manner.flip !== undefined) {
      body = Buffer.from(whole);
      body[manner.flip] = (body[manner.flip] ?? 0) ^ 1;
    }
    // What happens to a byte on its way is not known to who names the version.
    if (manner.etag !== null) response.setHeader("ETag", manner.etag ?? this.#tag(whole));
    const partial = asked.range !== undefined && !manner.rangeless;
    if (partial && asked.range) {
      const [from, to] = [asked.range[0], Math.min(asked.range[1], body.length - 1)];
      response.setHeader("Content-Range", `bytes ${from}-${to}/${body.length}`);
      body = body.subarray(from, to + 1);
    }
    if (!manner.lengthless) response.setHeader("Content-Length", body.length);
    response.writeHead(partial ? 206 : 200);
    if (asked.method === "HEAD") {
      response.end();
      return;
    }
    await manner.after;
    const stall = manner.holdAt === undefined ? manner.stall : Math.max(0, manner.holdAt - (partial ? (asked.range?.[0] ?? 0) : 0));
    const end = Math.min(manner.cut ?? stall ?? body.length, body.length);
    const step = manner.rate ? Math.max(1, Math.round(manner.rate / 50)) : 1 << 16;
    for (let at = 0; at < end && !response.destroyed; at += step) {
      response.write(body.subarray(at, Math.min(at + step, end)));
      // Bodies are let go piece by piece, or a cut would take back what was said before it.
      await new Promise((resolve) => setTimeout(resolve, manner.rate ? 20 : 0));
    }
    if (stall !== undefined && end < body.length) return;
    if (manner.cut !== undefined && end < body.length) response.socket?.destroy();
    else response.end();
  }
}

/** SHA-256 in hex digits. */
export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
