//! GGML's block formats, read where they lie.
//!
//! Every format here is a weight `scale·code − minimum` with small signed codes, and says how to get at the three. What
//! is done with them is the same for all: [`gemv`](super::gemv) and [`gemm`](super::gemm).
#![allow(non_camel_case_types, reason = "the names are GGML's")]

mod q4_k;
mod q6_k;
mod scalar;
mod simple;

pub use q4_k::{Q4_K, Q5_K};
pub use q6_k::Q6_K;
pub use scalar::dequantise;
pub use simple::{Q4_0, Q5_0, Q8_0};

use super::{quantise::Row, simd::Simd};
use crate::gguf::GgmlType;

/// The sums of four rows, one row after the other, so that memory is read in one stream: four streams at once, each as
/// short as a row, ran far below the bandwidth. (A macro, because a closure would lose the machine's instructions.)
macro_rules! by_rows {
    ($rows:ident, $stride:ident, |$row:ident| $dot:expr) => {{
        let mut sums = [S::zero(); 4];
        for (i, sum) in sums.iter_mut().enumerate() {
            let $row = $rows.add(i * $stride);
            *sum = $dot;
        }
        S::sums(sums)
    }};
}
use by_rows;

/// Vectors that LLVM does not know, and so cannot put back into a loop as constants, where V8 would make them anew each
/// time round.
#[inline(always)]
unsafe fn opaque<S: Simd, const N: usize>(bytes: [[u8; 16]; N]) -> [S::V; N] {
    unsafe {
        let p = std::hint::black_box(bytes.as_ptr());
        let mut vectors = [S::zero(); N];
        for (i, vector) in vectors.iter_mut().enumerate() {
            *vector = S::load(p.add(i));
        }
        vectors
    }
}

/// A format of quantised weights.
///
/// # Safety
/// All methods read whole blocks at the pointers they are given.
#[allow(clippy::missing_safety_doc, reason = "said once, above")]
pub trait Blocks: 'static {
    /// Numbers in a block: 32 or 256.
    const LEN: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// Neighbours that share a scale: 32 or 16.
    const GROUP: usize;
    /// Whether weights have a minimum taken off.
    const MINIMA: bool;

    /// The block's codes in order, signed, `[LEN]`.
    unsafe fn codes<S: Simd>(block: *const u8, to: *mut i8);

    /// The block's scales and minima, `[LEN / GROUP]` each; `minima` is not touched when there are none.
    unsafe fn scales<S: Simd>(block: *const u8, scales: *mut f32, minima: *mut f32);

    /// The products of one token and four rows of weights, `stride` bytes apart: lane i is row i's.
    unsafe fn dot4<S: Simd>(rows: *const u8, stride: usize, x: &Row, blocks: usize) -> S::V;
}

/// What is done with a format that is known only when a file is read.
pub trait Visitor {
    /// What it gives.
    type Output;

    /// Does it.
    fn visit<B: Blocks>(self) -> Self::Output;
}

/// Visits the format of a type; `None` when it has no kernels here.
pub fn with<V: Visitor>(ggml_type: GgmlType, visitor: V) -> Option<V::Output> {
    Some(match ggml_type {
        GgmlType::Q4_0 => visitor.visit::<Q4_0>(),
        GgmlType::Q5_0 => visitor.visit::<Q5_0>(),
        GgmlType::Q8_0 => visitor.visit::<Q8_0>(),
        GgmlType::Q4_K => visitor.visit::<Q4_K>(),
        GgmlType::Q5_K => visitor.visit::<Q5_K>(),
        GgmlType::Q6_K => visitor.visit::<Q6_K>(),
        _ => return None,
    })
}

/// Whether a type has kernels here.
pub fn has(ggml_type: GgmlType) -> bool {
    struct Any;
    impl Visitor for Any {
        type Output = ();
        fn visit<B: Blocks>(self) {}
    }
    with(ggml_type, Any).is_some()
}
