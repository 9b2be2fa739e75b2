// A table for each published shape: time and memory of a whole model.

import { Line } from "./samples.mjs";
import { digits } from "./statistics.mjs";
import { table } from "./table.mjs";

const MIB = 2 ** 20;
/** Pages that a kernel takes back on its own may be missing from what it tells later. */
const most = ({ memory }) => Math.max(memory.loaded.peak, memory.peak);

/** A section for each model of the group `real`; `empty` are the bytes of a page with nothing in it. */
export function real(all, empty) {
  const runs = all.filter(({ group }) => group === "real");
  return [...new Set(runs.map(({ model }) => model))].map((model) =>
    section(
      model,
      runs.filter((run) => run.model === model && !run.error),
      empty,
    ),
  );
}

function section(model, runs, empty) {
  if (runs.length === 0) return undefined;
  const prompt = Object.keys(runs[0].samples).find((stage) => stage.startsWith("prefill"));
  const names = [...new Set(runs.map(({ id, threads }) => JSON.stringify([id, threads])))].map((name) => JSON.parse(name));
  const rows = names.map(([id, threads]) => {
    const line = new Line(
      runs.filter((run) => run.id === id && run.threads === threads),
      id,
      threads,
    );
    const mib = (pick) => digits((line.number(pick) - empty) / MIB);
    return [
      line.name,
      ...["load", "encode", prompt, "decode"].map((stage) => line.spread(stage)),
      ...[({ memory }) => memory.loaded.now, ({ memory }) => memory.loaded.peak, most].map(mib),
    ];
  });
  const tokens = Number(prompt.slice("prefill".length)).toLocaleString("en");
  const columns = ["engine", "load, s", "encode a view, s", `prompt of ${tokens}, tok/s`, "decode, tok/s"];
  const memory = ["held when loaded, MiB", "most while loading", "most of all"];
  return table(model, [...columns, ...memory], rows, `Files of ${digits(runs[0].files / MIB)} MiB.`);
}
