// Halves, two to a word; rows are filled up with zeros to whole eights.
@group(0) @binding(3) var<storage, read> codes: array<vec4<u32>>;

fn eight(at: u32) -> Eight {
  let words = codes[at];
  return Eight(
    vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y)),
    vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w)),
  );
}
