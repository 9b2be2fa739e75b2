// A worker without a way out. This module is the first that runs in it, and takes away everything that is not on a short list:
// what a browser learns tomorrow is not on it either. A content security policy that comes with the worker's script forbids the
// same from outside; whether there is one, the browser tells when it is tried.

import { THREAD } from "./name.js";

/** How the engine's worker is kept from the network. */
export interface Seal {
  /**
   * `policy`: the browser enforces a content security policy under which the worker may connect to nothing, and what could connect
   * was taken away besides. `removal`: it was taken away, before anything else ran, and nothing more holds it.
   */
  readonly kind: "policy" | "removal";
  /** The policy; or why there is none, in a few words. */
  readonly why: string;
}

/** What the language itself has. None of it reaches beyond the worker. `eval` and `Function`, which make code of texts, are left out. */
const LANGUAGE = `AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date
  DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array Infinity Int16Array Int32Array Int8Array
  Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String
  SuppressedError Symbol SyntaxError Temporal TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef
  WeakSet WebAssembly decodeURI decodeURIComponent encodeURI encodeURIComponent escape globalThis isFinite isNaN parseFloat parseInt
  undefined unescape`;

/** What the engine uses of the browser: messages to its page, bytes, pictures, clocks, the GPU. */
const PLATFORM = `AbortController AbortSignal Blob DOMException Event EventTarget File ImageBitmap ImageData MessageChannel MessagePort
  OffscreenCanvas PerformanceObserver TextDecoder TextEncoder addEventListener clearTimeout close console constructor createImageBitmap
  crypto dispatchEvent isSecureContext name navigator performance postMessage queueMicrotask removeEventListener reportError self
  setTimeout structuredClone`;

/** What it asks of the navigator: the origin's private files, for pictures that are to be remembered, and the GPU. */
const NAVIGATOR = "constructor gpu hardwareConcurrency language languages storage userAgent";

/** How long a browser may take to tell of a policy, in milliseconds. */
const PATIENCE = 1000;

/** How this worker is sealed. */
export const seal: Promise<Seal> = shut(self.name === THREAD ? undefined : self.fetch("data:,"));

async function shut(tried: Promise<Response> | undefined): Promise<Seal> {
  const told = tried && policyAgainst(tried);
  const later = self.setTimeout;
  strip(self, `${LANGUAGE} ${PLATFORM}`);
  strip(navigator, NAVIGATOR);
  // Whatever makes code of a text could bring back `import()`.
  for (const made of [() => 0, async () => 0, function* () {}, async function* () {}]) {
    Object.defineProperty(Object.getPrototypeOf(made), "constructor", { value: undefined });
  }
  self.setTimeout = ((work: unknown, wait?: number) => {
    if (typeof work !== "function") throw new TypeError("a timer takes a function");
    return later(() => void work(), wait);
  }) as typeof setTimeout;
  const policy = await told;
  return policy === undefined ? { kind: "removal", why: "no content security policy forbids this worker to connect" } : { kind: "policy", why: policy };
}

/** Takes everything from `thing` but what is listed; throws where that cannot be done. */
function strip(thing: object, listed: string): void {
  const kept = new Set(listed.split(/\s+/));
  for (let from: object = thing; from !== Object.prototype && from !== null; from = Object.getPrototypeOf(from) as object) {
    for (const name of Object.getOwnPropertyNames(from)) {
      if (kept.has(name) || name.startsWith("GPU")) continue;
      if (Reflect.deleteProperty(from, name)) continue;
      const left: unknown = Reflect.get(thing, name);
      // Numbers that interfaces are said to have cannot be taken away, and do nothing.
      if (typeof left === "function" || (typeof left === "object" && left !== null)) throw new Error(`this browser does not let go of \`${name}\``);
    }
  }
}

/** The policy that kept the worker from connecting; undefined where it was let, or where the policy would let it connect elsewhere. */
async function policyAgainst(tried: Promise<Response>): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  self.addEventListener("securitypolicyviolation", (event) => {
    const { effectiveDirective, originalPolicy } = event as SecurityPolicyViolationEvent;
    if (effectiveDirective === "connect-src" && forbids(originalPolicy)) resolve(originalPolicy);
  });
  const free = await tried.then(() => true, () => false);
  if (free) return undefined;
  setTimeout(() => resolve(undefined), PATIENCE);
  return promise;
}

/** Whether a policy lets nothing connect anywhere. */
function forbids(policy: string): boolean {
  const directives = policy.split(";").map((directive) => directive.trim().toLowerCase().split(/\s+/));
  const sources = (name: string): string[] | undefined => directives.find(([first]) => first === name)?.slice(1);
  return (sources("connect-src") ?? sources("default-src"))?.join(" ") === "'none'";
}
