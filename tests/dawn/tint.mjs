// Every kernel through Tint, Chromium's compiler: it refuses what naga lets pass, barriers above all that not all threads
// of a group may reach. Takes `[[name, text], …]` as JSON on its standard input; no driver is needed.

import { readFileSync } from "node:fs";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
// Held to the end: Dawn goes when this is collected, whatever else is there.
const gpu = (globalThis.gpu = create(["backend=null"]));
const adapter = await gpu.requestAdapter();
const requiredFeatures = ["shader-f16", "subgroups"].filter((feature) => adapter.features.has(feature));
const device = await adapter.requestDevice({ requiredFeatures });
let wrong = 0;
for (const [name, code] of JSON.parse(readFileSync(0, "utf8"))) {
  device.pushErrorScope("validation");
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
  await device.popErrorScope();
  for (const { type, lineNum, linePos, message } of messages.filter(({ type }) => type !== "info")) {
    console.error(`${name}:${lineNum}:${linePos}: ${type}: ${message}\n${code.split("\n")[lineNum - 1]}`);
    wrong += 1;
  }
}
// Dawn's threads keep Node alive.
process.exit(wrong > 0 ? 1 : 0);
