//! GGML's block formats, read where they lie.
//!
//! Every format here is a weight `scale·code − minimum` with small signed codes, and says how to get at the three. What
//! is done with them is the same for all: [`gemv`](super::gemv) and [`gemm`](super::gemm).

mod q8_0;
mod scalar;

pub use q8_0::Q8_0;
pub use scalar::dequantise;

use super::{quantise::Row, simd::Simd};
use crate::gguf::GgmlType;

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
        GgmlType::Q8_0 => visitor.visit::<Q8_0>(),
        _ => return None,
    })
}

/// What a block of 32 with one scale has to say: its f16 scale lies at its start.
#[allow(clippy::missing_safety_doc, reason = "as above")]
trait Simple: Blocks {
    /// The sixteen first and the sixteen last codes, as [`Simd::dot_codes`] takes them.
    unsafe fn halves<S: Simd>(block: *const u8) -> [S::V; 2];
    /// What `halves` is above the true codes: `1 << n`, or 0.
    fn bias<S: Simd>() -> Option<u32>;
}

/// [`Blocks::dot4`] for simple blocks.
#[inline(always)]
unsafe fn dot4_simple<B: Simple, S: Simd>(rows: *const u8, stride: usize, x: &Row, blocks: usize) -> S::V {
    let (mut codes, mut sums) = (x.codes.as_ptr(), x.minus_sums.as_ptr());
    let mut block = rows;
    unsafe {
        let mut acc = [S::zero(); 4];
        for &scale in &x.scales[..blocks] {
            let scales = S::mul(S::gather_halves(block, stride), S::splat(scale));
            let sum = S::load64(sums);
            let start = match B::bias::<S>() {
                None => S::zero(),
                Some(3) => S::shl_i32::<3>(sum),
                Some(4) => S::shl_i32::<4>(sum),
                _ => S::shl_i32::<7>(sum),
            };
            macro_rules! row {
                ($i:literal) => {{
                    let [a, b] = B::halves::<S>(block.add($i * stride));
                    let dot = S::dot_codes(S::dot_codes(start, a, codes), b, codes.add(16 * S::DOT.bytes()));
                    acc[$i] = S::fma(S::from_i32(dot), S::lane::<$i>(scales), acc[$i]);
                }};
            }
            row!(0);
            row!(1);
            row!(2);
            row!(3);
            block = block.add(B::BYTES);
            codes = codes.add(32 * S::DOT.bytes());
            sums = sums.add(2);
        }
        S::sums(acc)
    }
}
