// Each column with its own past: y[r] = Σ w[j]·x[r + j − TAPS + 1]; the state is the TAPS − 1 rows before x, and becomes
// those before the next call. Grid: a thread for each column, which walks all rows.
struct Params { x: u32, y: u32, rows: u32, cols: u32, taps: u32, stride: u32 }
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;

// Row `row` of the state and x together.
fn row_at(row: u32, col: u32) -> f32 {
  let before = p.taps - 1u;
  if (row < before) { return state[row * p.cols + col]; }
  return arena[p.x + (row - before) * p.cols + col];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  let col = at.x;
  if (col >= p.cols) { return; }
  for (var row = 0u; row < p.rows; row++) {
    var sum = 0.0;
    for (var tap = 0u; tap < p.taps; tap++) { sum += weight[col * p.stride + tap] * row_at(row + tap, col); }
    arena[p.y + row * p.cols + col] = sum;
  }
  // From below: each row that is read lies above what was written.
  for (var row = 0u; row + 1u < p.taps; row++) { state[row * p.cols + col] = row_at(p.rows + row, col); }
}
