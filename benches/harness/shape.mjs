// How much work the benchmark's model is, computed from its shape (models/shape.py).

const [VOCAB, WIDTH, LAYERS, HEADS, KV_HEADS, HEAD, INNER] = [49_280, 576, 30, 9, 3, 64, 1_536];
const [PATCHES, V_WIDTH, V_LAYERS, V_INNER, PIXELS] = [1_024, 768, 12, 3_072, 3 * 16 * 16];

/** Weights of the decoder's layers that every token passes, and of its output layer. */
const layer = WIDTH * HEADS * HEAD * 2 + 2 * WIDTH * KV_HEADS * HEAD + 3 * WIDTH * INNER;
export const WEIGHTS = { layers: LAYERS * layer, head: VOCAB * WIDTH };

/** Operations (a multiplication and an addition are two) of encoding one 512² tile, without the connector's 1 %. */
export const ENCODE = {
  linear: 2 * PATCHES * (V_LAYERS * (4 * V_WIDTH ** 2 + 2 * V_WIDTH * V_INNER) + PIXELS * V_WIDTH),
  attention: 4 * PATCHES ** 2 * V_WIDTH * V_LAYERS,
};

/** Operations of reading a prompt of so many tokens; the output layer sees the last alone. */
export function prefill(tokens) {
  return {
    linear: 2 * (tokens * WEIGHTS.layers + WEIGHTS.head),
    attention: 2 * tokens ** 2 * HEADS * HEAD * LAYERS,
  };
}

/**
 * Bytes that a conversation of so many positions takes in Loupe: keys and values as halves, for 256 positions at a time, and where
 * layers are recurrent their states, as floats, as they are and as they were kept at two positions of the prompt.
 */
export function cache(model, positions) {
  const [layers, columns, states] = CACHES[model];
  return layers * 2 * columns * 2 * 256 * Math.ceil(positions / 256) + 3 * states * 4;
}
const DELTA = 18 * (16 * 128 * 128 + 3 * 3 * 16 * 128);
const CACHES = { smolvlm: [LAYERS, KV_HEADS * HEAD, 0], "minicpmv-4.6": [6, 2 * 256, DELTA], "minicpmv-4.0": [4, 2 * 128, 0] };

/** Bytes of weights that one token of decoding reads. */
const BITS = { q8_0: 8.5, q4_0: 4.5 };
export function decodeBytes(flavour) {
  // A Q4_0 file holds the output layer in Q8_0.
  return (WEIGHTS.layers * BITS[flavour] + WEIGHTS.head * BITS.q8_0) / 8;
}
