// Sums and maxima over teams, as in team.wgsl: within subgroups by exchange, and where a team may be of several, over their
// results. LEAST threads, a power of two, are surely in one subgroup, in the order of their numbers.
override LEAST: u32 = 4u;
var<workgroup> summands: array<f32, 64>;
var<workgroup> rivals: array<f32, 64>;

fn team_sum(thread: u32, x: f32) -> f32 {
  var sum = x;
  for (var apart = 1u; apart < min(LEAST, TEAM); apart <<= 1u) { sum += subgroupShuffleXor(sum, apart); }
  if (LEAST < TEAM) {
    summands[thread] = sum;
    workgroupBarrier();
    let first = thread / TEAM * TEAM;
    sum = 0.0;
    for (var i = 0u; i < TEAM; i += LEAST) { sum += summands[first + i]; }
  }
  return sum;
}

fn team_max(thread: u32, x: f32) -> f32 {
  var most = x;
  for (var apart = 1u; apart < min(LEAST, TEAM); apart <<= 1u) { most = max(most, subgroupShuffleXor(most, apart)); }
  if (LEAST < TEAM) {
    rivals[thread] = most;
    workgroupBarrier();
    let first = thread / TEAM * TEAM;
    for (var i = 0u; i < TEAM; i += LEAST) { most = max(most, rivals[first + i]); }
  }
  return most;
}
