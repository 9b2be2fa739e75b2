// Of each group of columns, some `wide` from `start` on. Grid: a thread for each number.
struct Params { x: u32, y: u32, len: u32, group: u32, start: u32, wide: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= p.len) { return; }
  arena[p.y + i] = arena[p.x + i / p.wide * p.group + p.start + i % p.wide];
}
