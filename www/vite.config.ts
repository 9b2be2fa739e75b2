import { defineConfig } from "vite";

export default defineConfig({
  root: "app",
  // Relative addresses: the built page can be put anywhere.
  base: "./",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // Nothing becomes a data: address, which the page's content security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  // A model file is an asset like a picture: hashed, and copied beside the page.
  assetsInclude: ["**/*.gguf"],
});
