// The rows of x that an index names.
struct Params { x: u32, y: u32, len: u32, cols: u32, index: u32 }
@group(0) @binding(2) var<storage, read> given: array<u32>;

fn each(i: u32) {
  arena[p.y + i] = arena[p.x + given[p.index + i / p.cols] * p.cols + i % p.cols];
}
