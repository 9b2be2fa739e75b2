// Q4_0: d·(code − 8), a half for each 32.
fn eight(at: u32) -> Eight {
  let word = codes[at];
  let d = half_scale(at >> 2u);
  return Eight(d * (bytes(low_nibbles(word)) - 8.0), d * (bytes(high_nibbles(word)) - 8.0));
}
