// f32; rows are filled up with zeros to whole eights.
@group(0) @binding(3) var<storage, read> codes: array<vec4<f32>>;

fn eight(at: u32) -> Eight {
  return Eight(codes[2u * at], codes[2u * at + 1u]);
}
