// Groups of a row's columns, each divided by its root mean square (CENTRED: its mean taken off before), then times
// weight and plus bias. Grid: a group of threads for each group of columns.
struct Params { x: u32, y: u32, len: u32, count: u32, eps: f32 }
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;

override CENTRED: bool = false;
override WEIGHTED: bool = false;
override BIASED: bool = false;
const TEAM: u32 = 64u;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // The grid is a rectangle and may reach beyond the last; barriers must be reached by all.
  let id = group.y * groups.x + group.x;
  let begin = min(id, p.count - 1u) * p.len;
  var mean = 0.0;
  if (CENTRED) {
    var sum = 0.0;
    for (var i = thread; i < p.len; i += 64u) { sum += arena[p.x + begin + i]; }
    mean = team_sum(thread, sum) / f32(p.len);
    workgroupBarrier();
  }
  var square = 0.0;
  for (var i = thread; i < p.len; i += 64u) {
    let x = arena[p.x + begin + i] - mean;
    square += x * x;
  }
  let by = 1.0 / sqrt(team_sum(thread, square) / f32(p.len) + p.eps);
  if (id >= p.count) { return; }
  for (var i = thread; i < p.len; i += 64u) {
    var y = (arena[p.x + begin + i] - mean) * by;
    if (WEIGHTED) { y *= weight[i]; }
    if (BIASED) { y += bias[i]; }
    arena[p.y + begin + i] = y;
  }
}
