// The page and the command line give the same greedy answers: one runtime, two faces.

import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@playwright/test";
import cases from "../golden/questions.json" with { type: "json" };
import { Desk, file, ROOT } from "./desk.js";

const run = promisify(execFile);
const MODEL = resolve(ROOT, "models");
const CLI = process.env["LOUPE_CLI"] ?? resolve(ROOT, "target/debug/loupe");

test("there are at least fifty pictures and questions", () => {
  expect(cases.flatMap(({ questions }) => questions).length).toBeGreaterThanOrEqual(50);
});

for (const { picture, note, questions } of cases) {
  test(`the same answers about ${picture} (${note})`, async ({ page }) => {
    const path = `tests/golden/${picture}`;
    const desk = await Desk.open(page);
    await desk.see(file(path));
    for (const question of questions) {
      const { stdout } = await run(CLI, ["ask", resolve(ROOT, path), question, "--json", "--model", MODEL]);
      const native = JSON.parse(stdout) as { answer: string };
      expect(await desk.ask(question), question).toBe(native.answer.trim());
      // Each question stands alone, as on the command line.
      await page.getByRole("button", { name: "New conversation" }).click();
    }
  });
}
