// One engine in one fresh browser: its peak of memory is its own, and nothing is warm from the engine before.

import { loadavg } from "node:os";
import { chromium } from "@playwright/test";
import { cpuSeconds, findBrowser, machineTime, memory } from "./processes.mjs";

/** How often memory is looked at, in milliseconds: what is held for less may be missed. */
const GLANCE = 50;
/** The longest that one run may take, in milliseconds. */
const PATIENCE = 20 * 60_000;

const launch = () =>
  chromium.launch({
    executablePath: process.env.LOUPE_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--enable-blink-features=ForceEagerMeasureMemory",
    ],
    // Ctrl-C is for the harness, which keeps what was measured.
    handleSIGINT: false,
  });

export async function version() {
  const browser = await launch();
  const version = browser.version();
  await browser.close();
  return version;
}

/**
 * Opens `run.html` for an engine, runs the task and gives what it measured, or `{ error }`. With `count`, memory is told
 * as the browser itself counts it, too.
 */
export async function runPage(address, { engine, task, count }, stop) {
  const browser = await launch();
  const close = () => browser.close();
  stop.addEventListener("abort", close, { once: true });
  const heard = [];
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on("console", (message) => message.type() === "error" && heard.push(message.text()));
    page.on("pageerror", (error) => heard.push(String(error)));
    await page.exposeFunction("hostCpu", cpuSeconds);
    await page.exposeFunction("hostMemory", memory);
    await page.goto(`${address}/pages/run.html?${engine}`);
    await page.waitForFunction(() => window.run, undefined, { timeout: 60_000 });
    findBrowser();
    const glances = setInterval(memory, GLANCE);
    const [before, own] = [machineTime(), cpuSeconds()];
    const result = await Promise.race([
      page.evaluate((task) => window.run(task), task),
      new Promise((_, reject) => setTimeout(() => reject(new Error("took too long")), PATIENCE).unref()),
    ]);
    clearInterval(glances);
    const after = machineTime();
    const others = (after.busy - before.busy - (cpuSeconds() - own)) / (after.total - before.total);
    const { peak, browserPeak } = memory();
    const held = { ...result.memory, peak, browserPeak, ...(count && { counted: await counted(page) }) };
    return { ...result, memory: held, others, load: loadavg()[0] };
  } catch (error) {
    return { error: [String(error).split("\n")[0], ...heard.slice(-3)].join("; ") };
  } finally {
    stop.removeEventListener("abort", close);
    await browser.close();
  }
}

/**
 * Bytes as the browser itself counts them. It does so for isolated pages alone, waits a minute for workers that never come to
 * rest, and counts a memory that workers share for each of them.
 */
function counted(page) {
  return page.evaluate(async () =>
    self.crossOriginIsolated ? (await performance.measureUserAgentSpecificMemory()).bytes : undefined,
  );
}
