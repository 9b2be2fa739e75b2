// Queries turned; keys turned and stored; values stored: see rope.wgsl and store.wgsl. `each` is two neighbouring channels of
// a row, of which the queries' come first, then the keys', then the values'.
struct Params {
  q: u32, y: u32, len: u32, k: u32, v: u32, q_cols: u32, kv_cols: u32, dim: u32, turned: u32, table: u32, to: u32,
}
@group(0) @binding(2) var<storage, read> given: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<u32>;

override PAIRS: bool = false;

// Channel `column` of a row at `x`, turned.
fn turned(x: u32, row: u32, column: u32) -> f32 {
  let own = arena[x + column];
  let channel = column % p.dim;
  if (channel >= p.turned) { return own; }
  let half = p.turned / 2u;
  let pair = select(channel % half, channel / 2u, PAIRS);
  let first = select(channel < half, channel % 2u == 0u, PAIRS);
  let apart = select(half, 1u, PAIRS);
  let other = arena[x + select(column - apart, column + apart, first)];
  let angle = p.table + row * p.turned + pair;
  return own * bitcast<f32>(given[angle]) + select(other, -other, first) * bitcast<f32>(given[angle + half]);
}

fn each(i: u32) {
  let words = p.kv_cols / 2u;
  let row = i / (p.q_cols / 2u + p.kv_cols);
  let at = i % (p.q_cols / 2u + p.kv_cols);
  if (at < p.q_cols / 2u) {
    let x = p.q + row * p.q_cols;
    let y = p.y + row * p.q_cols + 2u * at;
    arena[y] = turned(x, row, 2u * at);
    arena[y + 1u] = turned(x, row, 2u * at + 1u);
    return;
  }
  let word = at - p.q_cols / 2u;
  if (word < words) {
    let x = p.k + row * p.kv_cols;
    keys[p.to + row * words + word] =
      half_bits(turned(x, row, 2u * word)) | (half_bits(turned(x, row, 2u * word + 1u)) << 16u);
    return;
  }
  let x = p.v + row * p.kv_cols + 2u * (word - words);
  values[p.to + row * words + word - words] = half_bits(arena[x]) | (half_bits(arena[x + 1u]) << 16u);
}
