// What the kernel knows of the processes that this one started: CPU time, memory, and the machine's load.

import { readdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";

/** Ticks of /proc a second; every Linux that runs Chromium has 100. */
const TICKS = 100;
const MB = 1 << 20;

const read = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The process has ended.
    return "";
  }
};

/** The fields of /proc/PID/stat after the name, which may hold spaces. */
const stat = (pid) => {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
};

/** The processes that are asked about: looking for them takes longer than a small stage does. */
let renderers = [];
let others = [];
/** The most that our largest renderer, and all processes of the browser together, held since they were found. */
let most = { renderer: 0, browser: 0 };

/** Finds the processes of browsers that this process started; those that come later are not seen. */
export function findBrowser() {
  const parents = new Map(
    readdirSync("/proc")
      .filter(Number)
      .map((pid) => [Number(pid), Number(stat(pid)[1])]),
  );
  const ours = (pid) => pid === process.pid || (parents.has(pid) && ours(parents.get(pid)));
  const isRenderer = (pid) => read(`/proc/${pid}/cmdline`).includes("--type=renderer");
  const all = [...parents.keys()].filter((pid) => pid !== process.pid && ours(pid));
  renderers = all.filter(isRenderer);
  others = all.filter((pid) => !isRenderer(pid));
  most = { renderer: 0, browser: 0 };
}

/** CPU seconds of our renderers, of all their threads. */
export function cpuSeconds() {
  return renderers.map(stat).reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0) / TICKS;
}

/**
 * Private bytes, which no other process has and which nothing on the disk stands for: of our largest renderer, of all
 * processes of the browser, and the most of each that any call has seen.
 */
export function memory() {
  const sizes = renderers.map(privateBytes);
  const renderer = Math.max(0, ...sizes);
  const browser = [...sizes, ...others.map(privateBytes)].reduce((sum, size) => sum + size, 0);
  most = { renderer: Math.max(most.renderer, renderer), browser: Math.max(most.browser, browser) };
  return { now: renderer, peak: most.renderer, browser, browserPeak: most.browser };
}

function privateBytes(pid) {
  const status = read(`/proc/${pid}/status`);
  const bytes = (name) => 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return bytes("RssAnon") + bytes("RssShmem");
}

/** Machine-wide CPU time so far, to tell how busy the machine was between two calls. */
export function machineTime() {
  const fields = read("/proc/stat").split("\n")[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const total = fields.reduce((a, b) => a + b, 0);
  return { busy: (total - fields[3] - fields[4]) / TICKS, total: total / TICKS };
}

/** The machine in words. */
export function machine() {
  const cpus = read("/proc/cpuinfo");
  const model = /model name\s*:\s*(.+)/.exec(cpus)?.[1] ?? "unknown";
  const flags = new Set(/flags\s*:\s*(.+)/.exec(cpus)?.[1]?.split(" "));
  return {
    model,
    cores: cpus.match(/^processor/gm)?.length ?? 0,
    memory: Math.round((Number(/MemTotal:\s+(\d+)/.exec(read("/proc/meminfo"))?.[1] ?? 0) * 1024) / MB),
    flags: ["avx2", "avx512f", "avx_vnni", "avx512_vnni"].filter((flag) => flags.has(flag)),
    system: read("/proc/version").split(" ").slice(0, 3).join(" "),
    load: loadavg().map((load) => Number(load.toFixed(2))),
    // 1 to 99 where the harness, and so the browsers that it starts, go before all ordinary processes (`chrt -r 10 …`).
    realtime: Number(stat(process.pid)[37]),
  };
}
