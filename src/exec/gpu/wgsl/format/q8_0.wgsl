// Q8_0: bytes in their order, a half for each 32.
@group(0) @binding(3) var<storage, read> codes: array<vec2<u32>>;

fn eight(at: u32) -> Eight {
  let words = codes[at];
  let d = half_scale(at >> 2u);
  return Eight(d * vec4<f32>(unpack4xI8(words.x)), d * vec4<f32>(unpack4xI8(words.y)));
}
