//! This machine's GPU, for tests that run on it where there is one and say so where there is none.

use loupe::exec::AnyExecutor;

/// The GPU, if there is one (in software counts).
#[cfg(feature = "gpu")]
pub fn gpu() -> Option<AnyExecutor> {
    use std::io::Write;
    pollster::block_on(AnyExecutor::gpu())
        .inspect_err(|error| {
            assert_eq!(error.kind(), loupe::ErrorKind::Gpu);
            // Past the test runner, which would keep it from whoever reads.
            writeln!(std::io::stderr(), "skipped: no Vulkan adapter ({error})").ok();
        })
        .ok()
}

/// The GPU, of which this build knows nothing.
#[cfg(not(feature = "gpu"))]
pub fn gpu() -> Option<AnyExecutor> {
    None
}
