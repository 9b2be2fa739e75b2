// Q6_K: d·scale·(code − 32). The two high bits of 16 weights are a word: bits 2j of byte b are weight 4j + b's.
// Scales, five words for 256 weights: d as f32, then a signed byte for each 16.
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(5) var<storage, read> high: array<u32>;

fn eight(at: u32) -> Eight {
  let base = (at >> 5u) * 5u;
  let sub = (at >> 1u) & 15u;
  let scale = extractBits(bitcast<i32>(scales[base + 1u + (sub >> 2u)]), (sub & 3u) * 8u, 8u);
  let d = bitcast<f32>(scales[base]) * f32(scale);
  let word = codes[at];
  let top = high[at >> 1u] >> (4u * (at & 1u));
  let a = low_nibbles(word) | ((top & 0x03030303u) << 4u);
  let b = high_nibbles(word) | (((top >> 2u) & 0x03030303u) << 4u);
  return Eight(d * (bytes(a) - 32.0), d * (bytes(b) - 32.0));
}
