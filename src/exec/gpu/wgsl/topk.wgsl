// The columns of the k largest of each row, largest first, the lower column first among equals, ordered as by Rust's
// `total_cmp`. Grid: a group of threads for each row, which looks k times for the largest after the last one found.
struct Params { x: u32, y: u32, cols: u32, k: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;

var<workgroup> rank: array<u32, 64>;
var<workgroup> column: array<u32, 64>;

// A number that is larger for a larger float.
fn order(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let begin = p.x + group.x * p.cols;
  // Nothing is found yet: every column comes after.
  var last_rank = 0xffffffffu;
  var last_column = 0u;
  for (var found = 0u; found < p.k; found++) {
    var best = 0u;
    var best_column = 0xffffffffu;
    for (var i = thread; i < p.cols; i += 64u) {
      let r = order(arena[begin + i]);
      let comes_after = r < last_rank || (r == last_rank && i > last_column);
      if (comes_after && (best_column == 0xffffffffu || r > best)) {
        best = r;
        best_column = i;
      }
    }
    rank[thread] = best;
    column[thread] = best_column;
    workgroupBarrier();
    for (var step = 32u; step > 0u; step >>= 1u) {
      if (thread < step) {
        let other = thread + step;
        if (rank[other] > rank[thread] || (rank[other] == rank[thread] && column[other] < column[thread])) {
          rank[thread] = rank[other];
          column[thread] = column[other];
        }
      }
      workgroupBarrier();
    }
    last_rank = rank[0];
    last_column = column[0];
    if (thread == 0u) { arena[p.y + group.x * p.k + found] = f32(last_column); }
    workgroupBarrier();
  }
}
