// The gated delta rule, row after row: S ← e^(rate·step)·S; S ← S + k·(β(v − Sᵀk))ᵀ; y = Sᵀq, for S [heads, key, value].
// Grid: (value/64, heads). The columns of S do not know of each other: a thread takes one through all rows.
struct Params {
  q: u32, k: u32, v: u32, step: u32, beta: u32, y: u32,
  rows: u32, heads: u32, key_heads: u32, key: u32, value: u32,
}
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read> rate: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  let column = at.x;
  let head = at.y;
  if (column >= p.value) { return; }
  let s = head * p.key * p.value + column;
  for (var row = 0u; row < p.rows; row++) {
    let key = (row * p.key_heads + head % p.key_heads) * p.key;
    let one = row * p.heads + head;
    let decay = exp(rate[head] * arena[p.step + one]);
    var known = 0.0;
    for (var i = 0u; i < p.key; i++) { known += state[s + i * p.value] * arena[p.k + key + i]; }
    let delta = arena[p.beta + one] * (arena[p.v + one * p.value + column] - decay * known);
    var y = 0.0;
    for (var i = 0u; i < p.key; i++) {
      let now = decay * state[s + i * p.value] + arena[p.k + key + i] * delta;
      state[s + i * p.value] = now;
      y += now * arena[p.q + key + i];
    }
    arena[p.y + one * p.value + column] = y;
  }
}
