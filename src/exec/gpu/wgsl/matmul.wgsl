// act(x·Wᵀ + b), ADDED to what lies at `sum`, for many rows of x: y[row, first + out] for the `outs` rows of this part of W.
// Grid: (outs/64, rows/64). A group unpacks 64 × 32 of W and of x into workgroup memory, 16 KiB together in f32, which
// is all that every browser grants; a thread keeps 4 × 4 sums. Tiles lie as [k/4][64] so that neighbours read neighbours.
struct Params { x: u32, y: u32, cols: u32, outs: u32, first: u32, width: u32, rows: u32, sum: u32 }
@group(0) @binding(2) var<storage, read> bias: array<f32>;

override BIASED: bool = false;
override ADDED: bool = false;
var<workgroup> left: array<Tile, 512>;
var<workgroup> right: array<Tile, 512>;

// Four numbers of a row of x, zeros beyond its end.
fn four(row: u32, k: u32) -> vec4<f32> {
  let at = row + k;
  let inside = vec4<u32>(k, k + 1u, k + 2u, k + 3u) < vec4<u32>(p.cols);
  return select(vec4<f32>(0.0), vec4<f32>(arena[at], arena[at + 1u], arena[at + 2u], arena[at + 3u]), inside);
}

@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) at: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let eights = (p.cols + 7u) / 8u;
  // What this thread brings: eight numbers of one row of x and of one row of W.
  let bring = thread / 4u;
  let part = thread % 4u;
  let row = group.y * 64u + bring;
  let out = group.x * 64u + bring;
  var sums: array<vec4<f32>, 4>;
  for (var k = 0u; k < eights; k += 4u) {
    let e = k + part;
    var x = Eight();
    if (row < p.rows && e < eights) {
      let begin = p.x + row * p.cols;
      x = Eight(four(begin, 8u * e), four(begin, 8u * e + 4u));
    }
    var w = Eight();
    if (out < p.outs && e < eights) { w = eight(out * eights + e); }
    left[2u * part * 64u + bring] = tile(x.a);
    left[(2u * part + 1u) * 64u + bring] = tile(x.b);
    right[2u * part * 64u + bring] = tile(w.a);
    right[(2u * part + 1u) * 64u + bring] = tile(w.b);
    workgroupBarrier();
    for (var q = 0u; q < 8u; q++) {
      let base = q * 64u;
      let b0 = vec4<f32>(right[base + at.x]);
      let b1 = vec4<f32>(right[base + at.x + 16u]);
      let b2 = vec4<f32>(right[base + at.x + 32u]);
      let b3 = vec4<f32>(right[base + at.x + 48u]);
      for (var i = 0u; i < 4u; i++) {
        let a = vec4<f32>(left[base + at.y + 16u * i]);
        sums[i] += vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = group.y * 64u + at.y + 16u * i;
    for (var j = 0u; j < 4u; j++) {
      let out = group.x * 64u + at.x + 16u * j;
      if (row < p.rows && out < p.outs) {
        var sum = sums[i][j];
        if (BIASED) { sum += bias[p.first + out]; }
        let at = row * p.width + p.first + out;
        var y = act(sum);
        if (ADDED) { y += arena[p.sum + at]; }
        arena[p.y + at] = y;
      }
    }
  }
}
