//! The GPU's kernels: what every browser must accept of them, and on this machine's GPU (a software one counts) what they
//! compute. Without one, those tests say so and pass. What the operations mean is checked in `tests/ops`, with all executors.

#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used)]

mod ahead;
mod attention;
mod device;
mod fused;
mod shaders;
mod split;
mod tint;
mod weights;

use std::io::Write;

use loupe::{
    ErrorKind,
    exec::gpu::{Native, Wish},
};

/// This machine's GPU.
fn native() -> Option<Native> {
    match pollster::block_on(Native::open()) {
        Ok(native) => Some(native),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Gpu);
            // Past the test runner, which would keep it from whoever reads.
            writeln!(std::io::stderr(), "skipped: no Vulkan adapter ({error})").ok();
            None
        }
    }
}

/// What may be wanted of a GPU.
const WISHES: [Wish; 4] = [
    Wish { f16: None, subgroups: None },
    Wish { f16: Some(false), subgroups: None },
    Wish { f16: None, subgroups: Some(false) },
    Wish::PLAIN,
];

/// Numbers in −1…1 that look random and are the same on every machine.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// The largest error, as a part of the largest magnitude wanted.
fn off(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len(), "elements");
    let scale = want.iter().fold(1e-9f64, |m, v| m.max(v.abs()));
    got.iter().zip(want).map(|(g, w)| (f64::from(*g) - w).abs() / scale).fold(0.0, |m, d| if d <= m { m } else { d })
}
