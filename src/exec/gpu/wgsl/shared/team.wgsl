// Sums and maxima over teams: TEAM neighbouring threads of the 64 of a group; each thread gets its team's. Between two calls
// of one function there must be a barrier. A tree would have a barrier for each of its levels, for as many reads.
var<workgroup> summands: array<f32, 64>;
var<workgroup> rivals: array<f32, 64>;

fn team_sum(thread: u32, x: f32) -> f32 {
  summands[thread] = x;
  workgroupBarrier();
  let first = thread / TEAM * TEAM;
  var sum = 0.0;
  for (var i = 0u; i < TEAM; i++) { sum += summands[first + i]; }
  return sum;
}

fn team_max(thread: u32, x: f32) -> f32 {
  rivals[thread] = x;
  workgroupBarrier();
  let first = thread / TEAM * TEAM;
  var most = rivals[first];
  for (var i = 1u; i < TEAM; i++) { most = max(most, rivals[first + i]); }
  return most;
}
