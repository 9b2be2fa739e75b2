// Rotary positions: of each head of `dim` channels the first `turned` are turned, the others copied.
// Grid: a thread for each channel. `table` holds for each row of x the cosines of its pairs, then the sines, made in f64:
// WGSL's own sine is right only near 0.
struct Params { x: u32, y: u32, len: u32, cols: u32, dim: u32, turned: u32, table: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
@group(0) @binding(2) var<storage, read> given: array<u32>;

override PAIRS: bool = false;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= p.len) { return; }
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
