// Packs the package, installs the tarball as a stranger would, and builds every app with its own tool:
//
//   node tests/smoke/build.mjs FOLDER [--next]
//
// Each app ends as FOLDER/NAME, its page and a picture. What the tarball and the apps hold is hashed: the same is not built again.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const here = import.meta.dirname;
const root = resolve(here, "../..");
const out = resolve(process.argv[2] ?? join(root, "target/smoke"));
const names = ["bare", "extension", "vite", "webpack", "sveltekit", ...(process.argv.includes("--next") ? ["next"] : [])];
const NPM = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

function run(program, args, cwd) {
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" } });
}

/** Where the packages of `app` are: those of the light ones are shared. */
function home(app) {
  return app === "next" ? join(here, "apps/next") : here;
}

/** Packages of others as they are locked, and ours from the tarball. */
function install(folder, tarball) {
  // Not every registry has Next's compilers for all machines, and `npm ci` wants all of them to be locked.
  run("npm", folder === here ? ["ci", ...NPM] : ["install", "--no-save", ...NPM], folder);
  run("npm", ["install", "--no-save", "--no-package-lock", ...NPM, tarball], folder);
}

/** How each app is built, and where its pages are then. */
const BUILDS = {
  bare: copy,
  extension: copy,
  vite: (app) => (run(join(here, "node_modules/.bin/vite"), ["build", "--logLevel", "error"], app), "dist"),
  webpack: (app) => (run("node", ["build.mjs"], app), "dist"),
  sveltekit: (app) => (run(join(here, "node_modules/.bin/vite"), ["build", "--logLevel", "error"], app), "build"),
  next: (app) => (run(join(app, "node_modules/.bin/next"), ["build"], app), "out"),
};

/** Pages that are served as they are, with the package's folder and what all apps share beside them. */
function copy(app) {
  const dist = join(app, "dist");
  for (const name of readdirSync(app).filter((name) => name !== "dist")) cpSync(join(app, name), join(dist, name));
  cpSync(join(here, "node_modules/loupe-vlm"), join(dist, "loupe-vlm"), { recursive: true });
  cpSync(join(here, "app.js"), join(dist, "app.js"));
  return "dist";
}

/** What tells one state of the package and the apps from another. */
function fingerprint(tarball) {
  const hash = createHash("sha256").update(readFileSync(tarball)).update(names.join());
  const built = /node_modules|\/(dist|build|out|\.next|\.svelte-kit)\//;
  const files = readdirSync(here, { recursive: true, withFileTypes: true }).map((entry) => join(entry.parentPath, entry.name) + (entry.isFile() ? "" : "/"));
  for (const file of files.sort()) if (!file.endsWith("/") && !built.test(file) && !file.endsWith(".ts")) hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}

mkdirSync(out, { recursive: true });
for (const old of readdirSync(out).filter((name) => name.endsWith(".tgz"))) rmSync(join(out, old));
run("npm", ["pack", "--silent", "--pack-destination", out], join(root, "pkg"));
const tarball = join(out, readdirSync(out).find((name) => name.endsWith(".tgz")));
const stamp = join(out, ".built");
const now = fingerprint(tarball);
if (existsSync(stamp) && readFileSync(stamp, "utf8") === now) process.exit();
rmSync(stamp, { force: true });
for (const folder of new Set(names.map(home))) install(folder, tarball);
for (const name of names) {
  const app = join(here, "apps", name);
  const built = join(app, BUILDS[name](app));
  rmSync(join(out, name), { recursive: true, force: true });
  cpSync(built, join(out, name), { recursive: true });
  rmSync(built, { recursive: true, force: true });
  cpSync(join(root, "www/app/samples/shapes.png"), join(out, name, "picture.png"));
}
writeFileSync(stamp, now);
