//! What the GPU can do at most, by kernels that do one thing.

use loupe::exec::gpu::{Device, Native, Part, Step};

use crate::{
    Done,
    report::{Report, digits, median},
};

/// Bytes that are copied: more than the caches of most GPUs hold.
const COPIED: u64 = 64 << 20;
/// Threads of a kernel that multiplies, times 64, and rounds of each; a round is 16 products of four numbers.
const GROUPS: u32 = 1024;
const ROUNDS: u32 = 64;

const COPY: &str = "
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  for (var i = at.x; i < arrayLength(&x); i += 65536u * 4u) { y[i] = x[i]; }
}";

/// Sixteen sums of four in registers, each multiplied and added to in turn.
const MULTIPLY: &str = "
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  let by = Four(Number(f32(x[0]) + 0.5));
  var s: array<Four, 16>;
  for (var i = 0u; i < 16u; i++) { s[i] = Four(Number(f32(at.x + i) * 0.001)); }
  for (var round = 0u; round < ROUNDS; round++) {
    s[0] = fma(s[0], by, s[1]); s[1] = fma(s[1], by, s[2]); s[2] = fma(s[2], by, s[3]); s[3] = fma(s[3], by, s[4]);
    s[4] = fma(s[4], by, s[5]); s[5] = fma(s[5], by, s[6]); s[6] = fma(s[6], by, s[7]); s[7] = fma(s[7], by, s[8]);
    s[8] = fma(s[8], by, s[9]); s[9] = fma(s[9], by, s[10]); s[10] = fma(s[10], by, s[11]); s[11] = fma(s[11], by, s[12]);
    s[12] = fma(s[12], by, s[13]); s[13] = fma(s[13], by, s[14]); s[14] = fma(s[14], by, s[15]); s[15] = fma(s[15], by, s[0]);
  }
  var sum = s[0];
  for (var i = 1u; i < 16u; i++) { sum += s[i]; }
  y[at.x] = f32(sum.x + sum.y + sum.z + sum.w);
}";

/// The GPU's limits, a second.
pub struct Ceilings {
    /// Bytes read, and as many written, together.
    pub bytes: f64,
    /// Operations (a fused multiply-add is two) in f32.
    pub f32: f64,
}

/// Measures them.
pub fn measure(native: &Native, report: &mut Report) -> Done<Ceilings> {
    let at_once = if report.software { 1 } else { 8 };
    report.say("\n| ceiling, in this run | |\n| --- | --: |\n")?;
    let bytes = 2.0 * COPIED as f64 / seconds(native, COPY, 1024, COPIED, at_once)?;
    report.say(&format!("| copying 64 MiB, GB/s read and written together | {} |\n", digits(bytes / 1e9)))?;
    let mut multiply = |number: &str, enable: &str| {
        let head =
            format!("{enable}alias Number = {number};\nalias Four = vec4<{number}>;\nconst ROUNDS: u32 = {ROUNDS}u;\n");
        let flops = f64::from(GROUPS) * 64.0 * f64::from(ROUNDS) * 16.0 * 4.0 * 2.0;
        let flops = flops / seconds(native, &(head + MULTIPLY), GROUPS, 1 << 20, at_once)?;
        report.say(&format!("| fused multiply-add in registers, {number}, GFLOP/s | {} |\n", digits(flops / 1e9)))?;
        Done::Ok(flops)
    };
    let f32 = multiply("f32", "")?;
    if native.about().features.f16 {
        multiply("f16", "enable f16;\n")?;
    }
    Ok(Ceilings { bytes, f32 })
}

/// Seconds that a kernel takes on two buffers, of several at once: handing over and reading count for little then.
fn seconds(native: &Native, wgsl: &str, groups: u32, bytes: u64, at_once: usize) -> Done<f64> {
    let (x, y) = (native.buffer(bytes), native.buffer(bytes));
    let pipeline = native.pipeline("ceiling", wgsl, &[]);
    let [a, b] = [&x, &y].map(|buffer| Part { buffer, start: 0, len: bytes });
    let bind = native.bind(&pipeline, &[(0, a), (1, b)]);
    let all = median(|| {
        let step = || Step::Dispatch { pipeline: &pipeline, bind: &bind, groups: [groups, 1, 1] };
        let steps: Vec<_> = (0..at_once).map(|_| step()).collect();
        pollster::block_on(native.submit_and_read(&steps, Part { buffer: &y, start: 0, len: 4 }))?;
        Ok(())
    })?;
    Ok(all / at_once as f64)
}
