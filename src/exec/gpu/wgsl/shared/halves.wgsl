// f16 scales, two to a word. `unpack2x16float` is exact for all finite halves, and asks for no feature.
@group(0) @binding(4) var<storage, read> scales: array<u32>;

fn half_scale(at: u32) -> f32 {
  let two = unpack2x16float(scales[at >> 1u]);
  return select(two.x, two.y, (at & 1u) == 1u);
}
