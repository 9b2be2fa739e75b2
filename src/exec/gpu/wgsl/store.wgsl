// Rows of x into a cache of halves, two to a word; a row begins with a word of its own. `each` is a word.
struct Params { x: u32, to: u32, len: u32, cols: u32 }
@group(0) @binding(2) var<storage, read_write> cache: array<u32>;

fn each(i: u32) {
  let words = (p.cols + 1u) / 2u;
  let column = i % words * 2u;
  let at = p.x + i / words * p.cols + column;
  let first = half_bits(arena[at]);
  var second = 0u;
  if (column + 1u < p.cols) { second = half_bits(arena[at + 1u]); }
  cache[p.to + i] = first | (second << 16u);
}
