// act(x·Wᵀ + b), ADDED to what lies at `sum`, for few rows of x: y[row, first + out] for the `outs` rows of this part of W.
// Grid: (outs/4 in x and y, rows in z). Sixteen threads share an output, taking every sixteenth eight of it, so that
// neighbours read neighbouring words; a weight is read once for each row of x.
struct Params { x: u32, y: u32, cols: u32, outs: u32, first: u32, width: u32, rows: u32, sum: u32 }
@group(0) @binding(2) var<storage, read> bias: array<f32>;

override BIASED: bool = false;
override ADDED: bool = false;
const TEAM: u32 = 16u;

// Four numbers of a row of x, zeros beyond its end.
fn four(row: u32, k: u32) -> vec4<f32> {
  let at = row + k;
  let inside = vec4<u32>(k, k + 1u, k + 2u, k + 3u) < vec4<u32>(p.cols);
  return select(vec4<f32>(0.0), vec4<f32>(arena[at], arena[at + 1u], arena[at + 2u], arena[at + 3u]), inside);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let out = (group.y * groups.x + group.x) * 4u + thread / TEAM;
  let lane = thread % TEAM;
  let eights = (p.cols + 7u) / 8u;
  let row = p.x + group.z * p.cols;
  var sum = 0.0;
  if (out < p.outs) {
    for (var e = lane; e < eights; e += TEAM) {
      let w = eight(out * eights + e);
      sum += dot(w.a, four(row, 8u * e)) + dot(w.b, four(row, 8u * e + 4u));
    }
  }
  sum = team_sum(thread, sum);
  if (lane == 0u && out < p.outs) {
    if (BIASED) { sum += bias[p.first + out]; }
    let at = group.z * p.width + p.first + out;
    var y = act(sum);
    if (ADDED) { y += arena[p.sum + at]; }
    arena[p.y + at] = y;
  }
}
