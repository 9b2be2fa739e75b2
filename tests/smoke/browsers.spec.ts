// The journey in browsers that Playwright does not drive as Debian has them: the page asks by itself and tells the server what it found.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { Apps, FOLDER, ISOLATED } from "./server.js";

const MINI = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
/** A policy for sealed workers alone. */
const SEALED = { "Content-Security-Policy": "default-src 'none'; script-src 'wasm-unsafe-eval'" };

interface Browser {
  readonly name: string;
  readonly needs: readonly string[];
  /** The command that opens `url`, with nothing of an earlier visit. */
  readonly command: (url: string, profile: string) => readonly [program: string, ...args: string[]];
  /** Whether it tells a worker of the policy that holds it. */
  readonly tells: boolean;
  /** What runs on an isolated page with several cores, and with one. */
  readonly engines: readonly string[];
}

const BROWSERS: readonly Browser[] = [
  {
    name: "Firefox",
    needs: ["/usr/bin/firefox-esr"],
    command: (url, profile) => ["firefox-esr", "--headless", "--no-remote", "--profile", profile, url],
    tells: true,
    engines: ["relaxed-mt", "relaxed"],
  },
  {
    // It has no relaxed SIMD, and so no threads either.
    name: "WebKitGTK",
    needs: [MINI, "/usr/bin/xvfb-run"],
    command: (url) => ["xvfb-run", "--auto-servernum", MINI, url],
    tells: false,
    engines: ["base"],
  },
];

/** Opens `query` of the bare app in `browser` and resolves to what the page found. */
async function visit(browser: Browser, query: string, headers: Record<string, string>): Promise<Record<string, string>> {
  const profile = mkdtempSync(join(tmpdir(), "loupe-smoke-"));
  const apps = new Apps(FOLDER);
  apps.headers = headers;
  apps.sealed = SEALED;
  const [program, ...args] = browser.command(`${await apps.start()}bare/?report&${query}`, profile);
  const child = spawn(program, args, { stdio: "ignore", detached: true, env: { ...process.env, HOME: profile } });
  const gone = new Promise<never>((_, reject) => child.once("exit", (code) => reject(new Error(`${browser.name} ended by itself (${code})`))));
  try {
    return await Promise.race([apps.report, gone]);
  } finally {
    gone.catch(() => undefined);
    // With everything that it started.
    if (child.pid && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    apps.stop();
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

for (const browser of BROWSERS) {
  const missing = browser.needs.filter((path) => !existsSync(path));
  const skip = `${browser.name.toUpperCase()} WAS NOT TESTED: ${missing.join(" and ")} is not there`;

  test(`${browser.name} answers`, async () => {
    test.skip(missing.length > 0, skip);
    expect(await visit(browser, "", {})).toMatchObject({ answer: "blue, blue", requests: "0", seal: "" });
  });

  test(`${browser.name} answers on an isolated page, sealed, threads and all`, async () => {
    test.skip(missing.length > 0, skip);
    const found = await visit(browser, "seal", ISOLATED);
    expect(found).toMatchObject({ answer: "blue, blue", requests: "0", seal: browser.tells ? "policy" : "removal" });
    expect(browser.engines).toContain(found["engine"]);
  });
}
