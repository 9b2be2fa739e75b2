// The columns of the k largest of each row, largest first, the lower column first among equals; ordered as by Rust's
// `f32::total_cmp`, but that what is no number comes first of all. Grid: (parts of a row, rows). A group of threads looks k
// times for the largest after the last one found; the best of parts are looked through once more.
struct Params { x: u32, y: u32, cols: u32, k: u32, part: u32 }
// Of the first row: column and bits of each number found.
@group(0) @binding(2) var<storage, read_write> found: array<u32>;

// Whether x holds pairs of column and number, which parts of a row have left.
override PAIRS: bool = false;
// Whether columns are wanted, and not such pairs.
override LAST: bool = true;
// The column of nothing: the next whole number is none of f32.
const NONE: u32 = 16777216u;
var<workgroup> ranks: array<u32, 64>;
var<workgroup> columns: array<u32, 64>;
var<workgroup> places: array<u32, 64>;

// A number that is larger for a larger float.
fn order(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn number(at: u32) -> f32 {
  if (PAIRS) { return arena[at * 2u + 1u + p.x]; }
  return arena[at + p.x];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * p.cols;
  let begin = group.x * p.part;
  let end = min(begin + p.part, p.cols);
  var last_rank = 0u;
  var last_column = 0u;
  for (var n = 0u; n < p.k; n++) {
    var best = 0u;
    var best_column = NONE;
    var best_place = row + begin;
    for (var i = begin + thread; i < end; i += 64u) {
      let r = order(number(row + i));
      var column = i;
      if (PAIRS) { column = u32(arena[p.x + (row + i) * 2u]); }
      let comes_after = n == 0u || r < last_rank || (r == last_rank && column > last_column);
      let is_better = r > best || (r == best && column < best_column);
      if (comes_after && is_better && column < NONE) {
        best = r;
        best_column = column;
        best_place = row + i;
      }
    }
    ranks[thread] = best;
    columns[thread] = best_column;
    places[thread] = best_place;
    workgroupBarrier();
    for (var step = 32u; step > 0u; step >>= 1u) {
      if (thread < step) {
        let other = thread + step;
        if (ranks[other] > ranks[thread] || (ranks[other] == ranks[thread] && columns[other] < columns[thread])) {
          ranks[thread] = ranks[other];
          columns[thread] = columns[other];
          places[thread] = places[other];
        }
      }
      workgroupBarrier();
    }
    last_rank = ranks[0];
    last_column = columns[0];
    if (thread == 0u) {
      let x = number(places[0]);
      let y = (group.y * groups.x + group.x) * p.k + n;
      if (LAST) {
        arena[p.y + y] = f32(last_column);
        if (group.y == 0u && n < 8u) {
          found[2u * n] = last_column;
          found[2u * n + 1u] = bitcast<u32>(x);
        }
      } else {
        arena[p.y + 2u * y] = f32(last_column);
        arena[p.y + 2u * y + 1u] = x;
      }
    }
    workgroupBarrier();
  }
}
