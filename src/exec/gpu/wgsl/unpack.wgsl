// Rows of a weight as f32: those that ids name (an embedding), or all in their order (a constant). `each` is eight numbers
// of a row. Rows that lie in another part of the weight are left to it.
struct Params { y: u32, len: u32, cols: u32, index: u32, first: u32, count: u32 }
@group(0) @binding(2) var<storage, read> given: array<u32>;

override NAMED: bool = true;

fn each(i: u32) {
  let eights = (p.cols + 7u) / 8u;
  let row = i / eights;
  let e = i % eights;
  var id = row;
  if (NAMED) { id = given[p.index + row]; }
  if (id < p.first || id - p.first >= p.count) { return; }
  let w = eight((id - p.first) * eights + e);
  for (var j = 0u; j < 8u; j++) {
    let col = 8u * e + j;
    if (col < p.cols) { arena[p.y + row * p.cols + col] = select(w.b[j & 3u], w.a[j & 3u], j < 4u); }
  }
}
