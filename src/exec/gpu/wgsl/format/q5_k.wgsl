// Q5_K: scale·code − minimum. The fifth bits lie as in Q5_0.
@group(0) @binding(5) var<storage, read> high: array<u32>;

fn eight(at: u32) -> Eight {
  let word = codes[at];
  let fifth = high[at >> 2u] >> (2u * (at & 3u));
  let s = scale_and_minimum(at);
  let a = low_nibbles(word) | ((fifth & 0x01010101u) << 4u);
  let b = high_nibbles(word) | (((fifth >> 1u) & 0x01010101u) << 4u);
  return Eight(s.x * bytes(a) - s.y, s.x * bytes(b) - s.y);
}
