// The kernels' own table: one line for each type and shape, one column for each way to compute it.

import { digits, median, percent } from "./statistics.mjs";
import { table } from "./table.mjs";

/** Lines of JSON as benches/kernels.rs and pages/kernels.mjs give them. */
export function kernels(all, samples) {
  // The browser's lines first: they are in the order of layers.json.
  const lines = [...all].sort((a, b) => (a.where === "native") - (b.where === "native"));
  const ways = distinct(lines, ({ where, isa }) => `${where}: ${isa}`);
  const layers = distinct(lines, ({ type, what, m, n, k }) => `${type} | ${what}, ${m} × ${k} by ${n} × ${k}`);
  const rows = [...layers].map(([name, group]) => [
    ...name.split(" | "),
    ...[...ways.values()].map((way) =>
      cell(
        group.filter((line) => way.includes(line)),
        samples,
      ),
    ),
  ]);
  const note = `One thread. Where one row is multiplied, GB of weights a second; else Gop a second. In brackets, the share of this machine's
ceiling in the browser: reading 512 MB, the dot product of bytes (for \`base\` of 16-bit pairs), and for F16 and F32 the fused
multiply-add (for \`base\` multiplication and addition).`;
  return table("Kernels", ["type", "layer", ...ways.keys()], rows, note);
}

function distinct(lines, name) {
  const groups = new Map();
  for (const line of lines) groups.set(name(line), [...(groups.get(name(line)) ?? []), line]);
  return groups;
}

function cell(lines, samples) {
  if (lines.length === 0) return "–";
  const [{ where, type, m, what }] = lines;
  const rate = median(lines.map(({ gops, gbs }) => (m === 1 ? gbs : gops)));
  const ceiling = samples.ceiling(loop(where, type, m, what), 1) / 1e9;
  return where === "native" || !Number.isFinite(ceiling) ? digits(rate) : `${digits(rate)} (${percent(rate / ceiling)})`;
}

/** The loop of the roofline that bounds a layer. */
function loop(where, type, m, what) {
  if (m === 1) return what.endsWith("memory") ? "read512" : "none";
  const floats = type === "F16" || type === "F32";
  return where === "base" ? (floats ? "mulAdd" : "dotPairs") : floats ? "fused" : "dotBytes";
}
