// The half nearest to x, of two as near the even one: GPUs' own conversions may round either way, and processors keep these.
// What is beyond the largest half becomes that.
fn half_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0x7e00u; }
  // Below 2⁻¹⁴ halves are multiples of 2⁻²⁴, to which adding ½ rounds.
  if (size < 0x38800000u) { return sign | (bitcast<u32>(bitcast<f32>(size) + 0.5) - 0x3f000000u); }
  let odd = (size >> 13u) & 1u;
  return sign | min((size - 0x38000000u + 0xfffu + odd) >> 13u, 0x7bffu);
}
