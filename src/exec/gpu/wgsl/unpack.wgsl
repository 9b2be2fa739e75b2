// Rows of a weight as f32: those that ids name (an embedding), or all in their order (a constant).
// Grid: a thread for eight numbers of a row. Rows that lie in another part of the weight are left to it.
struct Params { y: u32, rows: u32, cols: u32, index: u32, first: u32, count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
@group(0) @binding(2) var<storage, read> given: array<u32>;

override NAMED: bool = true;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  let eights = (p.cols + 7u) / 8u;
  let row = i / eights;
  let e = i % eights;
  if (row >= p.rows) { return; }
  var id = row;
  if (NAMED) { id = given[p.index + row]; }
  if (id < p.first || id - p.first >= p.count) { return; }
  let w = eight((id - p.first) * eights + e);
  for (var j = 0u; j < 8u; j++) {
    let col = 8u * e + j;
    if (col < p.cols) { arena[p.y + row * p.cols + col] = select(w.b[j & 3u], w.a[j & 3u], j < 4u); }
  }
}
