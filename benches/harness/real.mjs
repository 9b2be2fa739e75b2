// Two tables for each published shape: time and memory of a whole model.

import { MEMORY, memoryOf } from "./memory.mjs";
import { Line } from "./samples.mjs";
import { digits } from "./statistics.mjs";
import { table } from "./table.mjs";

const MIB = 2 ** 20;

/** The sections of each model of the group `real`; `samples` has the empty page. */
export function real(all, samples) {
  const runs = all.filter(({ group, error }) => group === "real" && !error);
  return [...new Set(runs.map(({ model }) => model))].flatMap((model) =>
    sections(
      model,
      runs.filter((run) => run.model === model),
      samples,
    ),
  );
}

function sections(model, runs, samples) {
  const prompt = Object.keys(runs[0].samples).find((stage) => stage.startsWith("prefill"));
  const names = [...new Set(runs.map(({ id, threads }) => JSON.stringify([id, threads])))].map((name) => JSON.parse(name));
  const lines = names.map(
    ([id, threads]) =>
      new Line(
        runs.filter((run) => run.id === id && run.threads === threads),
        id,
        threads,
      ),
  );
  const tokens = Number(prompt.slice("prefill".length)).toLocaleString("en");
  const columns = ["engine", "load, s", "encode a view, s", `prompt of ${tokens}, tok/s`, "decode, tok/s"];
  const rows = lines.map((line) => [line.name, ...["load", "encode", prompt, "decode"].map((stage) => line.spread(stage))]);
  return [
    table(model, columns, rows, `Files of ${digits(runs[0].files / MIB)} MiB.`),
    table(
      `${model}: memory, MiB`,
      ["engine", ...MEMORY],
      lines.map((line) => [line.name, ...memoryOf(line, samples)]),
    ),
  ];
}
