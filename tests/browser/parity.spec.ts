// The page and the command line give the same greedy answers: one runtime, two faces.

import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@playwright/test";
import cases from "../golden/questions.json" with { type: "json" };
import { Desk, file, NO_THREADS, ROOT, THREADS } from "./desk.js";

const run = promisify(execFile);
const MODEL = resolve(ROOT, "models");
const CLI = process.env["LOUPE_CLI"] ?? resolve(ROOT, "target/debug/loupe");

test("there are at least fifty pictures and questions", () => {
  expect(cases.flatMap(({ questions }) => questions).length).toBeGreaterThanOrEqual(50);
});

/** Every artefact, alone and with a helper; the first is asked everything, the others about every third picture. */
const ENGINES = ["?threads=2", "?engine=base", "?engine=relaxed", "?engine=relaxed-mt&threads=1"];

/** What the command line answers, which is asked once. */
const native = new Map<string, string>();

async function nativeAnswer(path: string, question: string): Promise<string> {
  const key = `${path} ${question}`;
  const known = native.get(key);
  if (known !== undefined) return known;
  const { stdout } = await run(CLI, ["ask", path, question, "--json", "--model", MODEL]);
  const { answer } = JSON.parse(stdout) as { answer: string };
  native.set(key, answer.trim());
  return answer.trim();
}

for (const [at, engine] of ENGINES.entries()) {
  for (const { picture, note, questions } of cases.filter((_, i) => at === 0 || i % 3 === at % 3)) {
    test(`${engine}: the same answers about ${picture} (${note})`, async ({ page }) => {
      test.skip(engine.includes("-mt") && !THREADS, NO_THREADS);
      const path = `tests/golden/${picture}`;
      const desk = await Desk.open(page, engine);
      await desk.see(file(path));
      for (const question of questions) {
        expect(await desk.ask(question), question).toBe(await nativeAnswer(resolve(ROOT, path), question));
        // Each question stands alone, as on the command line.
        await page.getByRole("button", { name: "New conversation" }).click();
      }
    });
  }
}
