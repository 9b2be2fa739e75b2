// Loupe's kernels alone, layer by layer, on one thread.

import { ask } from "./meter.mjs";

export async function run({ package: address, artefact, layers }) {
  const call = ask(new Worker("./kernels-worker.mjs", { type: "module" }));
  await call("open", `${address}/engine/${artefact}/loupe.js`);
  const { types, shapes, ms } = layers;
  const kernels = [];
  for (const [type, code] of Object.entries(types)) {
    for (const shape of shapes) {
      const { m, n, k } = shape;
      kernels.push({ where: artefact, type, ...shape, ...(await call("measure", { code, m, n, k, ms })) });
    }
  }
  return { samples: {}, kernels };
}
