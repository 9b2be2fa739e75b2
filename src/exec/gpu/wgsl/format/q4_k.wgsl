// Q4_K: scale·code − minimum.
fn eight(at: u32) -> Eight {
  let word = codes[at];
  let s = scale_and_minimum(at);
  return Eight(s.x * bytes(low_nibbles(word)) - s.y, s.x * bytes(high_nibbles(word)) - s.y);
}
