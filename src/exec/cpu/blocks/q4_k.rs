//! Q4_K, and Q5_K, which is the same with a fifth bit: 256 codes in eight groups, each with a scale and a minimum of six
//! bits, which are multiples of the block's two f16.

use super::{Blocks, by_rows};
use crate::exec::cpu::{quantise::Row, simd::Simd};

/// Two f16, 12 bytes of scales and minima, and 256 nibbles: each 32 bytes hold a group below and the next above.
pub type Q4_K = Minima<4>;

/// As [`Q4_K`], with the codes' fifth bits before the nibbles: bit g of byte i is that of number i of group g.
pub type Q5_K = Minima<5>;

/// A format whose codes have so many bits.
pub struct Minima<const BITS: usize>;

impl<const BITS: usize> Minima<BITS> {
    /// Where the fifth bits lie, if any.
    const FIFTHS: usize = 16;
    /// Where the nibbles lie.
    const NIBBLES: usize = if BITS == 5 { 48 } else { 16 };

    /// Codes 64·j to 64·j + 63 of a block, `[4]` vectors.
    #[inline(always)]
    unsafe fn quarter<S: Simd>(block: *const u8, j: usize) -> [S::V; 4] {
        unsafe {
            let nibbles = block.add(Self::NIBBLES + 32 * j);
            let (a, b, low) = (S::load(nibbles), S::load(nibbles.add(16)), S::splat_i8(15));
            let mut codes = [S::and(a, low), S::and(b, low), S::shr_u8::<4>(a), S::shr_u8::<4>(b)];
            if BITS == 5 {
                let fifths = block.add(Self::FIFTHS);
                let (a, b, fifth) = (S::load(fifths), S::load(fifths.add(16)), S::splat_i8(16));
                let [first, last] = [S::splat_i8((1u8 << (2 * j)) as i8), S::splat_i8((2u8 << (2 * j)) as i8)];
                codes[0] = S::or(codes[0], S::and(S::eq_i8(S::and(a, first), first), fifth));
                codes[1] = S::or(codes[1], S::and(S::eq_i8(S::and(b, first), first), fifth));
                codes[2] = S::or(codes[2], S::and(S::eq_i8(S::and(a, last), last), fifth));
                codes[3] = S::or(codes[3], S::and(S::eq_i8(S::and(b, last), last), fifth));
            }
            codes
        }
    }
}

/// The eight scales and the eight minima of a block as f32, not yet multiplied.
#[inline(always)]
unsafe fn six_bits<S: Simd>(block: *const u8) -> [[S::V; 2]; 2] {
    unsafe {
        // Lanes: the two f16; the first four scales; the first four minima; the low nibbles of the last four, scales
        // below and minima above. The last four's two high bits lie above the first four.
        let packed = S::load(block);
        let first = S::and(packed, S::splat_i8(63));
        let nibbles = S::lane::<3>(packed);
        let only_scales = S::load([0, u32::MAX, 0, 0].as_ptr());
        let nibbles = S::select(only_scales, S::and(nibbles, S::splat_i8(15)), S::shr_u8::<4>(nibbles));
        let last = S::or(nibbles, S::and(S::shr_u32::<2>(packed), S::splat_i8(0x30)));
        let scales = S::widen_high(S::zip_low(first, last));
        let minima = S::widen_low(S::zip_high(first, last));
        [
            [S::from_i32(S::widen_i16_low(scales)), S::from_i32(S::widen_i16_high(scales))],
            [S::from_i32(S::widen_i16_low(minima)), S::from_i32(S::widen_i16_high(minima))],
        ]
    }
}

/// The sums of neighbours among eight i32.
#[inline(always)]
unsafe fn pairs<S: Simd>(p: *const i32) -> S::V {
    unsafe {
        let (a, b) = (S::load(p), S::load(p.add(4)));
        let (low, high) = (S::zip_low(a, b), S::zip_high(a, b));
        // Sums 0, 2, 1, 3.
        let sums = S::add_i32(S::low_halves(low, high), S::high_halves(low, high));
        S::zip_low(sums, S::high_halves(sums, sums))
    }
}

impl<const BITS: usize> Blocks for Minima<BITS> {
    const LEN: usize = 256;
    const BYTES: usize = Self::NIBBLES + 128;
    const GROUP: usize = 32;
    const MINIMA: bool = true;

    #[inline(always)]
    unsafe fn codes<S: Simd>(block: *const u8, to: *mut i8) {
        for j in 0..4 {
            unsafe {
                let [a, b, c, d] = Self::quarter::<S>(block, j);
                let to = to.add(64 * j);
                S::store(to, a);
                S::store(to.add(16), b);
                S::store(to.add(32), c);
                S::store(to.add(48), d);
            }
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(block: *const u8, scales: *mut f32, minima: *mut f32) {
        unsafe {
            let halves = S::gather_halves(block, 2);
            let [of_scales, of_minima] = [S::lane::<0>(halves), S::lane::<1>(halves)];
            let [[s0, s1], [m0, m1]] = six_bits::<S>(block);
            S::store(scales, S::mul(s0, of_scales));
            S::store(scales.add(4), S::mul(s1, of_scales));
            S::store(minima, S::mul(m0, of_minima));
            S::store(minima.add(4), S::mul(m1, of_minima));
        }
    }

    #[inline(always)]
    unsafe fn dot4<S: Simd>(rows: *const u8, stride: usize, x: &Row, blocks: usize) -> S::V {
        unsafe { by_rows!(rows, stride, |row| dot::<BITS, S>(row, x, blocks)) }
    }
}

/// The product of one token and one row, in parts.
#[inline(always)]
unsafe fn dot<const BITS: usize, S: Simd>(mut block: *const u8, x: &Row, blocks: usize) -> S::V {
    let (mut codes, mut sums, mut scales) = (x.codes.as_ptr(), x.minus_sums.as_ptr(), x.scales.as_ptr());
    let mut table = [0f32; 8];
    // LLVM would keep the table in registers, of which there are too few.
    let table = std::hint::black_box(table.as_mut_ptr());
    unsafe {
        let mut acc = [S::zero(); 2];
        for _ in 0..blocks {
            let halves = S::gather_halves(block, 2);
            let (scale, minimum) = (S::lane::<0>(halves), S::lane::<1>(halves));
            let x_scales = [S::load(scales), S::load(scales.add(4))];
            let [of_scales, of_minima] = six_bits::<S>(block);
            for i in 0..2 {
                S::store(table.add(4 * i), S::mul(S::mul(of_scales[i], scale), x_scales[i]));
                let minus = S::mul(S::from_i32(pairs::<S>(sums.add(8 * i))), x_scales[i]);
                acc[i] = S::fma(S::mul(of_minima[i], minimum), minus, acc[i]);
            }
            for j in 0..4 {
                let x = codes.add(64 * j * S::DOT.bytes());
                let [a, b, c, d] = Minima::<BITS>::quarter::<S>(block, j);
                let dot = S::dot_codes(S::zero(), a, x);
                let dot = S::dot_codes(dot, b, x.add(16 * S::DOT.bytes()));
                acc[0] = S::fma(S::from_i32(dot), S::load_splat(table.add(2 * j)), acc[0]);
                let dot = S::dot_codes(S::zero(), c, x.add(32 * S::DOT.bytes()));
                let dot = S::dot_codes(dot, d, x.add(48 * S::DOT.bytes()));
                acc[1] = S::fma(S::from_i32(dot), S::load_splat(table.add(2 * j + 1)), acc[1]);
            }
            block = block.add(Minima::<BITS>::BYTES);
            codes = codes.add(256 * S::DOT.bytes());
            (sums, scales) = (sums.add(16), scales.add(8));
        }
        S::add(acc[0], acc[1])
    }
}
