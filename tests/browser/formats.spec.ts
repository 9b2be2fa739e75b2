// Answers held to a form: the module that knows grammars comes when it is needed, and only then.

import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, type Page } from "@playwright/test";
import type { AskOptions, Format, Loupe } from "../../pkg/dist/index.js";
import { ROOT, sample } from "./desk.js";
import { openBare, test } from "./models.js";

const CLI = process.env["LOUPE_CLI"] ?? resolve(ROOT, "target/debug/loupe");
const QUESTION = "What colour is the triangle?";

/** Asks about a blue triangle, in a conversation of its own. */
async function ask(page: Page, options: Partial<AskOptions>): Promise<{ text?: string; finish?: string; kind?: string; message?: string }> {
  return page.evaluate(async ({ question, options }) => {
    const kept = window as unknown as { seen?: Loupe };
    if (!kept.seen) {
      kept.seen = await window.loupe.Loupe.load();
      await kept.seen.see(window.picture);
    }
    await kept.seen.forget();
    try {
      const { text, finish } = await kept.seen.ask(question, options);
      return { text: text.trim(), finish };
    } catch (error) {
      const { kind, message } = error as { kind?: string; message: string };
      return { kind: kind ?? "no LoupeError", message };
    }
  }, { question: QUESTION, options });
}

/** What the command line answers. */
async function native(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "loupe-"));
  const [picture, form] = [join(folder, "picture.png"), join(folder, "schema.json")];
  await writeFile(picture, sample("shapes").bytes);
  await writeFile(form, JSON.stringify(schema));
  const { stdout } = await promisify(execFile)(CLI, ["ask", picture, QUESTION, "--schema", form, "--model", resolve(ROOT, "models")]);
  return stdout.trim();
}

const schema = { type: "object", properties: { colour: { enum: ["red", "green", "blue"] }, sides: { type: "integer", minimum: 1, maximum: 9 } }, required: ["colour", "sides"], additionalProperties: false };
const json: Format = { type: "json", schema };

test("an answer is JSON of the schema, and grammars are fetched for it alone", async ({ bare }) => {
  const fetched: string[] = [];
  bare.on("request", (request) => fetched.push(request.url()));
  expect((await ask(bare, {})).text).toBe("blue");
  const grammars = (): number => fetched.filter((url) => url.includes("/engine/forms/")).length;
  expect(grammars()).toBe(0);
  const { text = "", finish } = await ask(bare, { format: json });
  const { colour, sides } = JSON.parse(text) as { colour: string; sides: number };
  expect(["red", "green", "blue"]).toContain(colour);
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9]).toContain(sides);
  expect(text).toBe(await native());
  expect(finish).toBe("stop");
  const once = grammars();
  expect(once).toBeGreaterThan(0);
  expect((await ask(bare, { format: json })).text).toBe(text);
  expect(grammars()).toBe(once);
});

test("an answer is one of the choices, a match, and ends where it is to stop", async ({ bare }) => {
  expect(await ask(bare, { format: { type: "choice", options: ["red", "dark (blue?)", "blue"] } })).toEqual({ text: "blue", finish: "stop" });
  expect((await ask(bare, { format: { type: "regex", pattern: "[A-Z]{3}-\\d{2}" } })).text).toMatch(/^[A-Z]{3}-\d{2}$/);
  expect(await ask(bare, { stop: ["ue"] })).toEqual({ text: "bl", finish: "stop" });
});

test("what cannot be followed is said in a sentence, and the next answer comes", async ({ bare }) => {
  for (const format of [{ type: "json", schema: { type: "strin" } }, { type: "regex", pattern: "(" }, { type: "choice", options: [] }] as Format[]) {
    const { kind, message } = await ask(bare, { format });
    expect(kind).toBe("usage");
    expect(message).toMatch(/^[A-Z].{10,300}\.$/);
  }
  expect((await ask(bare, { format: json })).finish).toBe("stop");
});

test("grammars that cannot be fetched are said to be missing, and fetched at the next answer", async ({ context }) => {
  const page = await openBare(context);
  await page.route("**/loupe_forms_bg.wasm", (route) => route.abort());
  const { kind, message } = await ask(page, { format: json });
  expect(kind).toBe("network");
  expect(message).toMatch(/could not be fetched; check the connection and ask again\.$/);
  expect((await ask(page, {})).text).toBe("blue");
  await page.unroute("**/loupe_forms_bg.wasm");
  expect((await ask(page, { format: json })).finish).toBe("stop");
});
