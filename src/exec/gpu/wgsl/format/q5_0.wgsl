// Q5_0: d·(code − 16). The fifth bits of 32 weights are a word: bit j of byte b is weight 4j + b's.
@group(0) @binding(5) var<storage, read> high: array<u32>;

fn eight(at: u32) -> Eight {
  let word = codes[at];
  let fifth = high[at >> 2u] >> (2u * (at & 3u));
  let d = half_scale(at >> 2u);
  let a = low_nibbles(word) | ((fifth & 0x01010101u) << 4u);
  let b = high_nibbles(word) | (((fifth >> 1u) & 0x01010101u) << 4u);
  return Eight(d * (bytes(a) - 16.0), d * (bytes(b) - 16.0));
}
