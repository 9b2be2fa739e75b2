// Loupe through its public interface. Times are those that its results tell; CPU seconds are the renderer's.

import { cost, picture, timed, words } from "./meter.mjs";

export async function run(task) {
  const { Loupe } = await import(`${task.package}/index.js`);
  const load = await timed(() => Loupe.load(task.load));
  const loupe = load.value;
  // A browser that cannot run what was asked for gets something else, which would be told under a wrong name.
  const { engine, threads } = task.load;
  if (engine && (loupe.engine.artefact !== engine || loupe.engine.threads !== threads))
    throw new Error(loupe.engine.why.join("; "));
  const samples = { load: cost(load) };
  const memory = { loaded: await hostMemory() };
  if (task.builtIn) Object.assign(samples, await firstToken(loupe, task.builtIn));
  else Object.assign(samples, await stages(loupe, task));
  return { samples, memory, engine: loupe.engine };
}

/** From a picture's file to the first token of an answer about it, the model being loaded. */
async function firstToken(loupe, { width, height, question }) {
  const file = await picture(width, height);
  const [cpu, start] = [await hostCpu(), performance.now()];
  const { layout, timings } = await loupe.see(file);
  const { usage } = await loupe.ask(question, { maxTokens: 1 });
  const first = { seconds: (performance.now() - start) / 1e3, cpu: (await hostCpu()) - cpu };
  // The next question finds the picture encoded and its tokens read.
  const begun = performance.now();
  await loupe.ask(question, { maxTokens: 1 });
  const again = (performance.now() - begun) / 1e3;
  return { firstToken: { ...first, again, views: layout.columns * layout.rows + 1, timings, usage } };
}

/** JSON that does not end before the answer is as long as it may be. */
const FORM = {
  type: "json",
  schema: {
    type: "array",
    minItems: 10_000,
    items: {
      type: "object",
      properties: { what: { type: "string" }, count: { type: "integer" } },
      required: ["what", "count"],
      additionalProperties: false,
    },
  },
};

async function stages(loupe, { side = 512, prompts, decode, forms = false }) {
  const file = await picture(side, side);
  const samples = {};
  // A picture seen anew empties the cache, so that each prompt is read from its first token on.
  const see = async () => {
    const { value, cpu } = await timed(() => loupe.see(file));
    const views = value.layout.columns * value.layout.rows + 1;
    return { seconds: value.timings.encodeMs / 1e3 / views, cpu: cpu / views };
  };
  samples.encodeFirst = await see();
  // The first question warms up, and tells how many tokens there are besides its words.
  const { usage } = await loupe.ask(words(8), { maxTokens: 8 });
  const around = usage.promptTokens - 8;
  for (const [index, tokens] of prompts.entries()) {
    samples.encode = await see();
    // The answer goes on after the first prompt alone.
    const said = index === 0 ? 1 + decode : 1;
    const { prefill, rest } = await asked(loupe, words(tokens - around), said);
    samples[`prefill${tokens}`] = prefill;
    if (index === 0) samples.decode = rest;
    if (index === 0 && forms) {
      // The first answer of a form fetches the grammars.
      for (const said of [8, 1 + decode]) {
        await loupe.forget();
        samples.decodeForm = (await asked(loupe, words(tokens - around), said, { format: FORM })).rest;
      }
    }
  }
  return samples;
}

/** One question. CPU seconds are told apart where the last chunk of the prompt is reported. */
async function asked(loupe, question, maxTokens, options = {}) {
  const begun = await hostCpu();
  let read;
  const deaf = loupe.on("progress", ({ phase, done, total }) => {
    if (phase === "prefill" && done === total) read = hostCpu();
  });
  const { usage } = await loupe.ask(question, { maxTokens, ...options });
  const [ended, between] = [await hostCpu(), await read];
  deaf();
  if (usage.answerTokens !== maxTokens) throw new Error(`${usage.answerTokens} tokens were said, not ${maxTokens}`);
  return {
    prefill: { tokens: usage.promptTokens - usage.cachedTokens, seconds: usage.prefillMs / 1e3, cpu: between - begun },
    rest: { tokens: maxTokens - 1, seconds: usage.decodeMs / 1e3, cpu: ended - between },
  };
}
