import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  outputDir: "../../test-results/smoke",
  reporter: "list",
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 90_000 },
  use: {
    launchOptions: {
      executablePath: process.env["LOUPE_CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
});
