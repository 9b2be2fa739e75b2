// A file server for this machine alone. Isolated, its pages may have threads.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** Serves `roots` (`/prefix` → folder) on a free port of 127.0.0.1. */
export async function serve(roots, { isolated }) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const file = fileOf(roots, path);
    const size = file && statSync(file, { throwIfNoEntry: false });
    if (!size?.isFile()) return response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": size.size,
      "cache-control": "no-store",
      "cross-origin-resource-policy": "same-origin",
      ...(isolated ? ISOLATED : {}),
    });
    if (request.method === "HEAD") response.end();
    else createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

/** The file that a path names; none outside the roots. */
function fileOf(roots, path) {
  const [prefix, folder] = Object.entries(roots).find(([prefix]) => path.startsWith(`${prefix}/`)) ?? [];
  const file = folder && normalize(join(folder, path.slice(prefix.length)));
  return file?.startsWith(normalize(`${folder}/`)) ? file : undefined;
}
