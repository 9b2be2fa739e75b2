// The page's service worker: once the page was here it opens without a network. It keeps the page's own files and nothing else: no
// picture ever passes through it, and models that were fetched lie in the origin's private files.
//
// Documents are asked of the network first, so that a new version is there at the next visit; what they name has a hash of its bytes
// in its name and comes from here. Each version has a cache of its own, filled as a whole or not at all. Answers are kept with
// their headers: a page that may share memory may do so without a network too.

import type { FromOffline, ToOffline } from "./wire.js";

declare const self: ServiceWorkerGlobalScope;

/** What there is to keep; the build writes it in here. */
interface Contents {
  /** Other files are another version. */
  readonly version: string;
  /** What every visit needs. */
  readonly shell: readonly string[];
  /** What each of the engine's artefacts needs besides. */
  readonly engines: Readonly<Record<string, readonly string[]>>;
}

const { version, shell, engines } = JSON.parse("%CONTENTS%") as Contents;
const PREFIX = "loupe-page-";
const CACHE = PREFIX + version;
/** Under this address lies which engine runs here, so that a new version brings the same. */
const ENGINE = "./engine-that-runs";

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("message", (event) => {
  const { engine } = event.data as ToOffline;
  const [port] = event.ports;
  const tell = (kept: boolean): void => port?.postMessage({ kept } satisfies FromOffline);
  event.waitUntil(keep(engine).then(() => tell(true), () => tell(false)));
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  event.respondWith(request.mode === "navigate" ? open(request) : bring(request));
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(shell.map((file) => new Request(file, { cache: file.startsWith("./assets/") ? "default" : "reload" })));
  const engine = await (await caches.match(ENGINE))?.text();
  if (engine) await keep(engine);
}

async function keep(engine: string): Promise<void> {
  const cache = await caches.open(CACHE);
  const files = engines[engine];
  if (!files) throw new Error(`There is no engine ${engine}.`);
  for (const file of files) if (!(await cache.match(file))) await cache.add(file);
  await cache.put(ENGINE, new Response(engine));
}

async function forgetOthers(): Promise<void> {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}

/** A document: from the network, and from here where there is none. */
async function open(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (cause) {
    const cache = await caches.open(CACHE);
    const kept = (await cache.match(request, { ignoreSearch: true })) ?? (await cache.match("./"));
    if (!kept) throw cause;
    // Browsers take no answer for a document that was led elsewhere on its way.
    return kept.redirected ? new Response(kept.body, kept) : kept;
  }
}

async function bring(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}
