//! Q8_0, Q5_0, Q4_0: 32 codes and one scale, an f16 at the block's start.

use super::{Blocks, by_rows, opaque};
use crate::exec::cpu::{
    quantise::Row,
    simd::{Dot, Simd},
};

/// An f16 scale and 32 signed bytes.
pub struct Q8_0;

/// An f16 scale, 32 bits (the codes' fifth) and 32 nibbles, sixteen below and sixteen above; codes are 16 too high.
pub struct Q5_0;

/// An f16 scale and 32 nibbles, sixteen below and sixteen above; codes are 8 too high.
pub struct Q4_0;

/// What such a block has to say.
#[allow(clippy::missing_safety_doc, reason = "they read a whole block at the pointer")]
pub trait Simple: 'static {
    const BYTES: usize;

    /// The sixteen first and the sixteen last codes, as [`Simd::dot_codes`] takes them.
    unsafe fn halves<S: Simd>(block: *const u8, constants: &[S::V; 5]) -> [S::V; 2];
    /// What `halves` needs besides: made before the loop over blocks, where V8 would make it anew for each of them.
    unsafe fn constants<S: Simd>() -> [S::V; 5];
    /// What `halves` is above the true codes: `1 << n`, or nothing.
    fn bias<S: Simd>() -> Option<u32>;
}

impl Simple for Q8_0 {
    const BYTES: usize = 34;

    #[inline(always)]
    unsafe fn halves<S: Simd>(block: *const u8, constants: &[S::V; 5]) -> [S::V; 2] {
        unsafe {
            let [a, b] = [S::load(block.add(2)), S::load(block.add(18))];
            match S::DOT {
                Dot::Unsigned => [S::xor(a, constants[0]), S::xor(b, constants[0])],
                Dot::Signed | Dot::Pairs => [a, b],
            }
        }
    }

    #[inline(always)]
    unsafe fn constants<S: Simd>() -> [S::V; 5] {
        unsafe { opaque::<S, 5>([[0x80; 16]; 5]) }
    }

    #[inline(always)]
    fn bias<S: Simd>() -> Option<u32> {
        (S::DOT == Dot::Unsigned).then_some(7)
    }
}

impl Simple for Q5_0 {
    const BYTES: usize = 22;

    #[inline(always)]
    unsafe fn halves<S: Simd>(block: *const u8, constants: &[S::V; 5]) -> [S::V; 2] {
        unsafe {
            let nibbles = S::load(block.add(6));
            // Each bit's byte sixteen times, against the bit.
            let bits = S::load_splat(block.add(2));
            let [low, fifth, which, first, last] = *constants;
            let (first, last) = (S::swizzle(bits, first), S::swizzle(bits, last));
            let low_bits = S::and(S::eq_i8(S::and(first, which), which), fifth);
            let high_bits = S::and(S::eq_i8(S::and(last, which), which), fifth);
            [S::or(S::and(nibbles, low), low_bits), S::or(S::shr_u8::<4>(nibbles), high_bits)]
        }
    }

    #[inline(always)]
    unsafe fn constants<S: Simd>() -> [S::V; 5] {
        unsafe { opaque::<S, 5>([[15; 16], [16; 16], BIT, BYTE[0], BYTE[1]]) }
    }

    #[inline(always)]
    fn bias<S: Simd>() -> Option<u32> {
        Some(4)
    }
}

/// The byte that holds bit i of 32.
const BYTE: [[u8; 16]; 2] =
    [[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]];
/// Bit i of 16 in its byte.
const BIT: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

impl Simple for Q4_0 {
    const BYTES: usize = 18;

    #[inline(always)]
    unsafe fn halves<S: Simd>(block: *const u8, constants: &[S::V; 5]) -> [S::V; 2] {
        unsafe {
            let nibbles = S::load(block.add(2));
            [S::and(nibbles, constants[0]), S::shr_u8::<4>(nibbles)]
        }
    }

    #[inline(always)]
    unsafe fn constants<S: Simd>() -> [S::V; 5] {
        unsafe { opaque::<S, 5>([[15; 16]; 5]) }
    }

    #[inline(always)]
    fn bias<S: Simd>() -> Option<u32> {
        Some(3)
    }
}

impl<B: Simple> Blocks for B {
    const LEN: usize = 32;
    const BYTES: usize = B::BYTES;
    const GROUP: usize = 32;
    const MINIMA: bool = false;

    #[inline(always)]
    unsafe fn codes<S: Simd>(block: *const u8, to: *mut i8) {
        unsafe {
            let [mut a, mut b] = B::halves::<S>(block, &B::constants::<S>());
            if let Some(bits) = B::bias::<S>() {
                let bias = S::splat_i8((1u8 << bits).wrapping_neg() as i8);
                (a, b) = (S::add_i8(a, bias), S::add_i8(b, bias));
            }
            S::store(to, a);
            S::store(to.add(16), b);
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(block: *const u8, scales: *mut f32, _: *mut f32) {
        unsafe { scales.write(S::first_f32(S::gather_halves(block, 0))) }
    }

    #[inline(always)]
    unsafe fn dot4<S: Simd>(rows: *const u8, stride: usize, x: &Row, blocks: usize) -> S::V {
        unsafe { by_rows!(rows, stride, |row| dot::<B, S>(row, x, blocks)) }
    }
}

/// The product of one token and one row, in parts.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
unsafe fn dot<B: Simple, S: Simd>(mut block: *const u8, x: &Row, blocks: usize) -> S::V {
    let (mut codes, mut sums, mut scales) = (x.codes.as_ptr(), x.minus_sums.as_ptr(), x.scales.as_ptr());
    unsafe {
        let constants = B::constants::<S>();
        let mut acc = [S::zero(); 2];
        macro_rules! block {
            ($at:literal) => {{
                let block = block.add(B::BYTES * $at);
                let codes = codes.add(32 * S::DOT.bytes() * $at);
                let sum = S::load64(sums.add(2 * $at));
                // What the bias adds is taken off before anything is added: no lane's sum overflows.
                let start = match B::bias::<S>() {
                    None => S::zero(),
                    Some(3) => S::shl_i32::<3>(sum),
                    Some(4) => S::shl_i32::<4>(sum),
                    Some(_) => S::shl_i32::<7>(sum),
                };
                let [a, b] = B::halves::<S>(block, &constants);
                let dot = S::dot_codes(S::dot_codes(start, a, codes), b, codes.add(16 * S::DOT.bytes()));
                let scale = S::mul(S::splat_half(block), S::load_splat(scales.add($at)));
                acc[$at] = S::fma(S::from_i32(dot), scale, acc[$at]);
            }};
        }
        for _ in 0..blocks / 2 {
            block!(0);
            block!(1);
            block = block.add(2 * B::BYTES);
            codes = codes.add(64 * S::DOT.bytes());
            (sums, scales) = (sums.add(4), scales.add(2));
        }
        if blocks % 2 == 1 {
            block!(0);
        }
        S::add(acc[0], acc[1])
    }
}
