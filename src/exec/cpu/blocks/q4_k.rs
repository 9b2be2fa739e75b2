//! Q4_K, and Q5_K, which is the same with a fifth bit: 256 codes in eight groups, each with a scale and a minimum of six
//! bits, which are multiples of the block's two f16.

use super::{Blocks, by_rows, opaque};
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

    /// What [`Self::quarter`] and [`six_bits`] need besides.
    #[inline(always)]
    unsafe fn constants<S: Simd>() -> Constants<S> {
        let only_scales = [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0];
        let [low, six, top, fifth, only_scales] =
            unsafe { opaque::<S, 5>([[15; 16], [63; 16], [0x30; 16], [16; 16], only_scales]) };
        Constants { low, six, top, fifth, only_scales }
    }

    /// Codes 64·j to 64·j + 63 of a block, `[4]` vectors.
    #[inline(always)]
    unsafe fn quarter<S: Simd>(block: *const u8, j: usize, constants: &Constants<S>) -> [S::V; 4] {
        let &Constants { low, fifth, .. } = constants;
        unsafe {
            let nibbles = block.add(Self::NIBBLES + 32 * j);
            let (a, b) = (S::load(nibbles), S::load(nibbles.add(16)));
            let (c, d) = (S::and(S::shr_u32::<4>(a), low), S::and(S::shr_u32::<4>(b), low));
            let mut codes = [S::and(a, low), S::and(b, low), c, d];
            if BITS == 5 {
                let fifths = block.add(Self::FIFTHS);
                let (a, b) = (S::load(fifths), S::load(fifths.add(16)));
                // Bits 2·j and 2·j + 1 of each byte, moved to where 16 is.
                let moved = match j {
                    0 => [S::shl_i32::<4>(a), S::shl_i32::<4>(b), S::shl_i32::<3>(a), S::shl_i32::<3>(b)],
                    1 => [S::shl_i32::<2>(a), S::shl_i32::<2>(b), S::shl_i32::<1>(a), S::shl_i32::<1>(b)],
                    2 => [a, b, S::shr_u32::<1>(a), S::shr_u32::<1>(b)],
                    _ => [S::shr_u32::<2>(a), S::shr_u32::<2>(b), S::shr_u32::<3>(a), S::shr_u32::<3>(b)],
                };
                for (code, bits) in codes.iter_mut().zip(moved) {
                    *code = S::or(*code, S::and(bits, fifth));
                }
            }
            codes
        }
    }
}

/// Vectors that are the same for all blocks.
struct Constants<S: Simd> {
    low: S::V,
    six: S::V,
    top: S::V,
    fifth: S::V,
    /// The second lane.
    only_scales: S::V,
}

/// The eight scales and the eight minima of a block as f32, not yet multiplied.
#[inline(always)]
unsafe fn six_bits<S: Simd>(block: *const u8, constants: &Constants<S>) -> [[S::V; 2]; 2] {
    let &Constants { low, six, top, only_scales, .. } = constants;
    unsafe {
        // Lanes: the two f16; the first four scales; the first four minima; the low nibbles of the last four, scales
        // below and minima above. The last four's two high bits lie above the first four.
        let packed = S::load(block);
        let first = S::and(packed, six);
        let nibbles = S::lane::<3>(packed);
        let nibbles = S::and(S::select(only_scales, nibbles, S::shr_u32::<4>(nibbles)), low);
        let last = S::or(nibbles, S::and(S::shr_u32::<2>(packed), top));
        let scales = S::widen_high(S::zip_low(first, last));
        let minima = S::widen_low(S::zip_high(first, last));
        [
            [S::from_i32(S::widen_i16_low(scales)), S::from_i32(S::widen_i16_high(scales))],
            [S::from_i32(S::widen_i16_low(minima)), S::from_i32(S::widen_i16_high(minima))],
        ]
    }
}

impl<const BITS: usize> Blocks for Minima<BITS> {
    const LEN: usize = 256;
    const BYTES: usize = Self::NIBBLES + 128;
    const GROUP: usize = 32;
    const MINIMA: bool = true;

    #[inline(always)]
    unsafe fn codes<S: Simd>(block: *const u8, to: *mut i8) {
        let constants = unsafe { Self::constants::<S>() };
        for j in 0..4 {
            unsafe {
                let [a, b, c, d] = Self::quarter::<S>(block, j, &constants);
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
            let [[s0, s1], [m0, m1]] = six_bits::<S>(block, &Self::constants::<S>());
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
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
unsafe fn dot<const BITS: usize, S: Simd>(mut block: *const u8, x: &Row, blocks: usize) -> S::V {
    let (mut codes, mut totals, mut scales) = (x.codes.as_ptr(), x.minus_totals.as_ptr(), x.scales.as_ptr());
    let mut table = [0f32; 8];
    // LLVM would keep the table in registers, of which there are too few.
    let table = std::hint::black_box(table.as_mut_ptr());
    unsafe {
        let constants = Minima::<BITS>::constants::<S>();
        let mut acc = [S::zero(); 2];
        for _ in 0..blocks {
            let (scale, minimum) = (S::splat_half(block), S::splat_half(block.add(2)));
            let [of_scales, of_minima] = six_bits::<S>(block, &constants);
            for i in 0..2 {
                S::store(table.add(4 * i), S::mul(S::mul(of_scales[i], scale), S::load(scales.add(4 * i))));
                acc[i] = S::fma(S::mul(of_minima[i], minimum), S::load(totals.add(4 * i)), acc[i]);
            }
            for j in 0..4 {
                let x = codes.add(64 * j * S::DOT.bytes());
                let [a, b, c, d] = Minima::<BITS>::quarter::<S>(block, j, &constants);
                let dot = S::dot_codes(S::zero(), a, x);
                let dot = S::dot_codes(dot, b, x.add(16 * S::DOT.bytes()));
                acc[0] = S::fma(S::from_i32(dot), S::load_splat(table.add(2 * j)), acc[0]);
                let dot = S::dot_codes(S::zero(), c, x.add(32 * S::DOT.bytes()));
                let dot = S::dot_codes(dot, d, x.add(48 * S::DOT.bytes()));
                acc[1] = S::fma(S::from_i32(dot), S::load_splat(table.add(2 * j + 1)), acc[1]);
            }
            block = block.add(Minima::<BITS>::BYTES);
            codes = codes.add(256 * S::DOT.bytes());
            (totals, scales) = (totals.add(8), scales.add(8));
        }
        S::add(acc[0], acc[1])
    }
}
