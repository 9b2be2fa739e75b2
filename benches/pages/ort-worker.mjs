import * as ort from "/rivals/onnxruntime-web/dist/ort.wasm.min.mjs";
import { answer } from "./answer.mjs";

const [SIDE, LAYERS, KV_HEADS, HEAD] = [512, 30, 3, 64];
const CACHES = Array.from({ length: LAYERS }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();

const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
let vision, text, cache, position, likeliest;

async function step(tokens) {
  position += tokens.length;
  const result = await text.run({
    input_ids: new ort.Tensor("int64", BigInt64Array.from(tokens, BigInt), [1, tokens.length]),
    attention_mask: new ort.Tensor("int64", new BigInt64Array(position).fill(1n), [1, position]),
    ...cache,
  });
  cache = Object.fromEntries(CACHES.map((name) => [`past.${name}`, result[`present.${name}`]]));
  const logits = result.logits.data;
  likeliest = logits.reduce((best, logit, id) => (logit > logits[best] ? id : best), 0);
  return likeliest;
}

answer({
  async load(threads, visionFile, textFile) {
    Object.assign(ort.env.wasm, { wasmPaths: "/rivals/onnxruntime-web/dist/", numThreads: threads, proxy: false });
    ort.env.logLevel = "error";
    vision = await ort.InferenceSession.create(visionFile, options);
    text = await ort.InferenceSession.create(textFile, options);
  },
  async encode() {
    const pixels = Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => ((i * 7919) % 255) / 127.5 - 1);
    await vision.run({ pixel_values: new ort.Tensor("float32", pixels, [1, 3, SIDE, SIDE]) });
  },
  prefill(tokens) {
    const none = () => new ort.Tensor("float32", new Float32Array(0), [1, KV_HEADS, 0, HEAD]);
    cache = Object.fromEntries(CACHES.map((name) => [`past.${name}`, none()]));
    position = 0;
    return step(tokens);
  },
  async decode(count) {
    for (let i = 0; i < count; i++) await step([likeliest]);
  },
});
