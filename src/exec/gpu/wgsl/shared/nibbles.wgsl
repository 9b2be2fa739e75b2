// Codes of four bits, eight to a word: the low nibbles are the first four.
@group(0) @binding(3) var<storage, read> codes: array<u32>;

fn low_nibbles(word: u32) -> u32 {
  return word & 0x0f0f0f0fu;
}

fn high_nibbles(word: u32) -> u32 {
  return (word >> 4u) & 0x0f0f0f0fu;
}

fn bytes(word: u32) -> vec4<f32> {
  return vec4<f32>(unpack4xU8(word));
}
