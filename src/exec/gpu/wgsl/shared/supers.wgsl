// Scales of Q4_K and Q5_K, five words for 256 weights: d and dmin as halves, then for each 32 weights a byte of scale and
// one of minimum.
@group(0) @binding(4) var<storage, read> scales: array<u32>;

// What the codes of group `at` of eight are multiplied by, and what is taken off.
fn scale_and_minimum(at: u32) -> vec2<f32> {
  let base = (at >> 5u) * 5u;
  let sub = (at >> 2u) & 7u;
  let word = scales[base + 1u + (sub >> 1u)] >> ((sub & 1u) * 16u);
  return unpack2x16float(scales[base]) * vec2<f32>(f32(word & 255u), f32((word >> 8u) & 255u));
}
