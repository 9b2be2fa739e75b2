//! Q8_0: an f16 scale and 32 signed bytes.

use super::{Blocks, Simple, dot4_simple};
use crate::exec::cpu::{
    quantise::Row,
    simd::{Dot, Simd},
};

/// See the module.
pub struct Q8_0;

impl Blocks for Q8_0 {
    const LEN: usize = 32;
    const BYTES: usize = 34;
    const GROUP: usize = 32;
    const MINIMA: bool = false;

    #[inline(always)]
    unsafe fn codes<S: Simd>(block: *const u8, to: *mut i8) {
        unsafe {
            S::store(to, S::load(block.add(2)));
            S::store(to.add(16), S::load(block.add(18)));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(block: *const u8, scales: *mut f32, _: *mut f32) {
        unsafe {
            let half = i32::from(block.cast::<u16>().read_unaligned());
            scales.write(S::first_f32(S::half_to_f32(S::splat_i32(half))));
        }
    }

    #[inline(always)]
    unsafe fn dot4<S: Simd>(rows: *const u8, stride: usize, x: &Row, blocks: usize) -> S::V {
        unsafe { dot4_simple::<Self, S>(rows, stride, x, blocks) }
    }
}

impl Simple for Q8_0 {
    #[inline(always)]
    unsafe fn halves<S: Simd>(block: *const u8) -> [S::V; 2] {
        unsafe {
            let [a, b] = [S::load(block.add(2)), S::load(block.add(18))];
            match S::DOT {
                Dot::Unsigned => [S::xor(a, S::splat_i8(-128)), S::xor(b, S::splat_i8(-128))],
                Dot::Signed | Dot::Pairs => [a, b],
            }
        }
    }

    fn bias<S: Simd>() -> Option<u32> {
        (S::DOT == Dot::Unsigned).then_some(7)
    }
}
