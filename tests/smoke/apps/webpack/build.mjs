import { cpSync } from "node:fs";
import webpack from "webpack";

const mode = "production";
const performance = { hints: false };
const stats = await new Promise((resolve, reject) =>
  webpack({ mode, performance, context: import.meta.dirname, entry: "./main.js", output: { path: `${import.meta.dirname}/dist`, clean: true } }, (error, stats) => (error ? reject(error) : resolve(stats))),
);
if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString("errors-warnings"));
cpSync(new URL("index.html", import.meta.url), new URL("dist/index.html", import.meta.url));
