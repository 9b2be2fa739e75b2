// softmax(scale·q·kᵀ)·v for QUERIES rows of q and one head. Grid: (heads, rows/QUERIES).
// Keys pass by 64 at a time: a thread takes one of them against all the group's queries, eight threads bring a query's
// softmax up to date, then a thread takes every 64th channel of the result. Scores never leave workgroup memory.
struct Params {
  q: u32, k: u32, v: u32, y: u32, rows: u32, keys: u32, heads: u32, kv_heads: u32,
  // Whether a query sees no further than its own position, and how many rows are a window, if any are.
  causal: u32, window: u32, scale: f32,
}
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<u32>;

// Channels of a head: even, at most 256.
override DIM: u32 = 64u;
// Rows of q that a group takes: 1, or up to 8.
override QUERIES: u32 = 8u;
// Whether keys and values lie in caches, as halves, or in the arena.
override CACHED: bool = false;

// Below any score.
const NONE: f32 = -3.0e38;
// [channel][two fours of queries].
var<workgroup> query: array<vec4<f32>, 512>;
// [query][key], scores and then e to them.
var<workgroup> score: array<f32, 512>;
// By query: what earlier results are multiplied by; in the end, what they are divided by.
var<workgroup> fade: array<f32, 8>;
// Threads that bring a query's softmax up to date.
const TEAM: u32 = 8u;

// Two neighbouring channels from an even one on.
fn two_keys(at: u32) -> vec2<f32> {
  if (CACHED) { return unpack2x16float(keys[at >> 1u]); }
  return vec2<f32>(arena[p.k + at], arena[p.k + at + 1u]);
}

fn value(at: u32) -> f32 {
  if (CACHED) {
    let two = unpack2x16float(values[at >> 1u]);
    return select(two.x, two.y, (at & 1u) == 1u);
  }
  return arena[p.v + at];
}

// The first key that a query sees, and the one after the last.
fn seen(row: u32) -> vec2<u32> {
  if (p.window > 0u) {
    let first = row / p.window * p.window;
    return vec2<u32>(first, first + p.window);
  }
  if (p.causal > 0u) { return vec2<u32>(0u, p.keys - p.rows + row + 1u); }
  return vec2<u32>(0u, p.keys);
}

// Channel `channel` of four queries from `row` on.
fn four_queries(row: u32, head: u32, channel: u32) -> vec4<f32> {
  let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(p.rows - 1u));
  let at = p.q + (rows * p.heads + head) * DIM + channel;
  return p.scale * vec4<f32>(arena[at.x], arena[at.y], arena[at.z], arena[at.w]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let head = group.x;
  let first = group.y * QUERIES;
  let kv_head = head / (p.heads / p.kv_heads);
  for (var c = thread; c < DIM; c += 64u) {
    query[2u * c] = four_queries(first, head, c);
    if (QUERIES > 4u) { query[2u * c + 1u] = four_queries(first + 4u, head, c); }
  }
  workgroupBarrier();

  // [channel/64][two fours of queries].
  var sum: array<vec4<f32>, 8>;
  // Of the query that this thread helps with: the largest score and the sum of e to the scores less that.
  let own = thread / TEAM;
  let lane = thread % TEAM;
  var largest = NONE;
  var weight = 0.0;

  let last = min(first + QUERIES, p.rows) - 1u;
  let end = seen(last).y;
  for (var tile = seen(first).x; tile < end; tile += 64u) {
    let at = tile + thread;
    var low = vec4<f32>(0.0);
    var high = vec4<f32>(0.0);
    let row = (min(at, p.keys - 1u) * p.kv_heads + kv_head) * DIM;
    for (var c = 0u; c < DIM; c += 2u) {
      let k = two_keys(row + c);
      low += query[2u * c] * k.x + query[2u * c + 2u] * k.y;
      if (QUERIES > 4u) { high += query[2u * c + 1u] * k.x + query[2u * c + 3u] * k.y; }
    }
    for (var i = 0u; i < QUERIES; i++) {
      let range = seen(first + i);
      let product = select(high[i & 3u], low[i & 3u], i < 4u);
      score[i * 64u + thread] = select(NONE, product, at >= range.x && at < range.y);
    }
    workgroupBarrier();

    var highest = NONE;
    for (var j = lane; j < 64u; j += TEAM) { highest = max(highest, score[own * 64u + j]); }
    let before = largest;
    largest = max(largest, team_max(thread, highest));
    var share = 0.0;
    for (var j = lane; j < 64u; j += TEAM) {
      let s = score[own * 64u + j];
      let e = select(exp(s - largest), 0.0, s <= NONE);
      score[own * 64u + j] = e;
      share += e;
    }
    let fading = exp(before - largest);
    if (lane == 0u) { fade[own] = fading; }
    weight = weight * fading + team_sum(thread, share);
    workgroupBarrier();

    let fade_low = vec4<f32>(fade[0], fade[1], fade[2], fade[3]);
    let fade_high = vec4<f32>(fade[4], fade[5], fade[6], fade[7]);
    for (var j = 0u; j < (DIM + 63u) / 64u; j++) {
      let c = 64u * j + thread;
      var y_low = fade_low * sum[2u * j];
      var y_high = fade_high * sum[2u * j + 1u];
      if (c < DIM) {
        for (var i = 0u; i < min(64u, end - tile); i++) {
          let v = value(((tile + i) * p.kv_heads + kv_head) * DIM + c);
          y_low += v * vec4<f32>(score[i], score[64u + i], score[128u + i], score[192u + i]);
          if (QUERIES > 4u) { y_high += v * vec4<f32>(score[256u + i], score[320u + i], score[384u + i], score[448u + i]); }
        }
      }
      sum[2u * j] = y_low;
      sum[2u * j + 1u] = y_high;
    }
    workgroupBarrier();
  }

  if (lane == 0u) { fade[own] = weight; }
  workgroupBarrier();
  for (var j = 0u; j < (DIM + 63u) / 64u; j++) {
    let c = 64u * j + thread;
    for (var i = 0u; i < QUERIES; i++) {
      let row = first + i;
      if (c < DIM && row < p.rows) {
        arena[p.y + (row * p.heads + head) * DIM + c] = sum[2u * j + i / 4u][i & 3u] / fade[i];
      }
    }
  }
}
