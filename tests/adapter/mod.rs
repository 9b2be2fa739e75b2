//! This machine's GPU, for tests that run on it where there is one and say so where there is none.

use loupe::exec::AnyExecutor;

/// The GPU, if there is one (in software counts), with all it can do, and as if it could do less.
#[cfg(feature = "gpu")]
pub fn gpus() -> Vec<AnyExecutor> {
    use loupe::exec::gpu::Wish;
    use std::io::Write;
    let without = [(None, None), (Some(false), None), (None, Some(false)), (Some(false), Some(false))];
    let mut gpus: Vec<AnyExecutor> = Vec::new();
    for (f16, subgroups) in without {
        match pollster::block_on(AnyExecutor::gpu(Wish { f16, subgroups })) {
            Ok(gpu) if gpus.iter().all(|other| other.description() != gpu.description()) => gpus.push(gpu),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), loupe::ErrorKind::Gpu);
                // Past the test runner, which would keep it from whoever reads.
                writeln!(std::io::stderr(), "skipped: no Vulkan adapter ({error})").ok();
                break;
            }
        }
    }
    gpus
}

/// The GPU, of which this build knows nothing.
#[cfg(not(feature = "gpu"))]
pub fn gpus() -> Vec<AnyExecutor> {
    Vec::new()
}

/// What the rounding of factors to halves adds to the bound of a network: an error of 2⁻¹² of each of two, of either sign, in
/// each of some forty layers with many rows, and outliers are four times the mean. In f32 there is nothing to add.
#[allow(dead_code, reason = "not every test has a network")]
pub fn rounding(executor: &AnyExecutor) -> f32 {
    if executor.description().contains(", f16") { 4.0 * 6.3 * 1.42 / 4096.0 } else { 0.0 }
}
