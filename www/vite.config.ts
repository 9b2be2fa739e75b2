import { join } from "node:path";
import { defineConfig } from "vite";
import { writeContents } from "./contents.js";
import { writeDocs } from "./docs/site.js";

const app = join(import.meta.dirname, "app");
const dist = join(import.meta.dirname, "dist");

export default defineConfig({
  root: "app",
  // Relative addresses: the built page can be put anywhere.
  base: "./",
  build: {
    outDir: dist,
    emptyOutDir: true,
    target: "es2022",
    // Nothing becomes a data: address, which the page's content security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: join(app, "index.html"), bench: join(app, "bench.html"), docs: join(app, "docs.html"), offline: join(app, "offline/worker.ts") },
      output: {
        // A service worker's reach is its folder, and its name must stay.
        entryFileNames: ({ name }) => (name === "offline" ? "offline.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  plugins: [
    {
      name: "site",
      writeBundle() {
        writeDocs(dist);
        // Last, for all of it is kept.
        writeContents(dist);
      },
    },
  ],
  worker: { format: "es" },
  // A model file is an asset like a picture: hashed, and copied beside the page.
  assetsInclude: ["**/*.gguf"],
});
