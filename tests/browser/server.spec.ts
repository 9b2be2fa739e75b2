// The package where there is no browser: a server that renders a page imports it, and nothing may happen.

import { readFileSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { ROOT } from "./desk.js";

const { exports } = JSON.parse(readFileSync(`${ROOT}/pkg/package.json`, "utf8")) as { exports: Record<string, { default: string }> };

for (const [entry, { default: file }] of Object.entries(exports)) {
  test(`${entry} is imported without a browser`, async () => {
    const known = Object.keys(globalThis);
    const module = (await import(`${ROOT}/pkg/${file}`)) as Record<string, unknown>;
    expect(Object.keys(module)).not.toEqual([]);
    // Nothing was put where every module sees it.
    expect(Object.keys(globalThis).filter((name) => !known.includes(name))).toEqual([]);
  });
}

test("a server shows the React hook as it is before anything was done", async () => {
  const { createElement } = await import("react");
  const { renderToString } = await import("react-dom/server");
  const { useLoupe } = (await import(`${ROOT}/pkg/dist/react.js`)) as typeof import("../../pkg/dist/react.js");
  const Ask = () => {
    const { status, busy, answer } = useLoupe({ eager: true });
    return createElement("output", { "data-status": status, "aria-busy": busy }, answer || "Nothing was asked");
  };
  expect(renderToString(createElement(Ask))).toBe('<output data-status="idle" aria-busy="false">Nothing was asked</output>');
});

test("without a browser it says what it lacks", async () => {
  const { Loupe } = (await import(`${ROOT}/pkg/dist/index.js`)) as typeof import("../../pkg/dist/index.js");
  const { usable, lacks, engine } = Loupe.probe();
  expect({ usable, engine }).toEqual({ usable: false, engine: undefined });
  expect(lacks).toContain("workers");
  expect(await Loupe.availability()).toBe("unavailable");
});
