import { defineConfig } from "@playwright/test";

// Driven by `cargo xtask test`, which serves the built page and names a Chromium. Chromium's own connections to its
// maker are switched off: the tests count every request.

/** For every project. */
const ARGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A camera that shows a test picture, and is allowed without asking.
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];
const executablePath = process.env["LOUPE_CHROMIUM"] ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: ".",
  outputDir: "../../test-results",
  reporter: "list",
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 30_000 },
  use: {
    baseURL: process.env["LOUPE_URL"] ?? "http://127.0.0.1:8080/",
    viewport: { width: 1280, height: 860 },
    trace: "retain-on-failure",
    // What a service worker answers no test could hold back or change; offline.spec.ts lets it in.
    serviceWorkers: "block",
  },
  projects: [
    {
      name: "page",
      testIgnore: "gpu*.spec.ts",
      use: { launchOptions: { executablePath, args: [...ARGS, "--disable-gpu"] } },
    },
    {
      // A GPU in software, which is a browser's last resort: correct, and slow.
      name: "gpu",
      timeout: 900_000,
      expect: { timeout: 240_000 },
      testMatch: "gpu*.spec.ts",
      use: { launchOptions: { executablePath, args: [...ARGS, "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"] } },
    },
  ],
});
