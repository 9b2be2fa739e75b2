//! The executor for machines without a GPU: our own kernels, on all cores.
#![allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "a kernel says what its arguments are in one sentence; that they must lie where it says goes for all of them"
)]

pub mod activate;
pub mod blocks;
pub mod gemm;
pub mod gemv;
pub mod halves;
pub mod isa;
pub mod math;
pub mod norm;
pub mod pool;
pub mod quantise;
pub mod rope;
pub mod sgemm;
pub mod simd;
pub mod topk;
