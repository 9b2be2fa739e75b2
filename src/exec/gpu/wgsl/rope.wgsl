// Rotary positions: of each head of `dim` channels the first `turned` are turned, the others copied.
// `table` holds for each row of x the cosines of its pairs, then the sines, made in f64: WGSL's own sine is right only near 0.
struct Params { x: u32, y: u32, len: u32, cols: u32, dim: u32, turned: u32, table: u32 }
@group(0) @binding(2) var<storage, read> given: array<u32>;

override PAIRS: bool = false;

fn each(i: u32) {
  let channel = (i % p.cols) % p.dim;
  let x = arena[p.x + i];
  if (channel >= p.turned) {
    arena[p.y + i] = x;
    return;
  }
  let half = p.turned / 2u;
  let pair = select(channel % half, channel / 2u, PAIRS);
  let first = select(channel < half, channel % 2u == 0u, PAIRS);
  let apart = select(half, 1u, PAIRS);
  let other = arena[p.x + select(i - apart, i + apart, first)];
  let angle = p.table + (i / p.cols) * p.turned + pair;
  let cosine = bitcast<f32>(given[angle]);
  let sine = bitcast<f32>(given[angle + half]);
  arena[p.y + i] = x * cosine + select(other, -other, first) * sine;
}
