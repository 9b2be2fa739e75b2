//! Q6_K: 256 codes of six bits in sixteen groups, each with a signed byte as its scale, a multiple of the block's f16.

use super::{Blocks, by_rows, opaque};
use crate::exec::cpu::{quantise::Row, simd::Simd};

/// The codes' low nibbles (128 bytes) and high pairs (64), the scales (16) and the f16; codes are 32 too high.
pub struct Q6_K;

const PAIRS: usize = 128;
const SCALES: usize = 192;
const SCALE: usize = 208;

/// What [`quarter`] needs besides.
#[inline(always)]
unsafe fn constants<S: Simd>() -> [S::V; 2] {
    unsafe { opaque::<S, 2>([[15; 16], [0x30; 16]]) }
}

/// Four times sixteen codes as they are stored, 32 apart: from `half`·128 + `part`·16 on, two halves of two parts.
#[inline(always)]
unsafe fn quarter<S: Simd>(block: *const u8, half: usize, part: usize, constants: &[S::V; 2]) -> [S::V; 4] {
    let [low, high] = *constants;
    unsafe {
        let nibbles = block.add(64 * half + 16 * part);
        let (a, b) = (S::load(nibbles), S::load(nibbles.add(32)));
        let pairs = S::load(block.add(PAIRS + 32 * half + 16 * part));
        [
            S::or(S::and(a, low), S::and(S::shl_i32::<4>(pairs), high)),
            S::or(S::and(b, low), S::and(S::shl_i32::<2>(pairs), high)),
            S::or(S::and(S::shr_u32::<4>(a), low), S::and(pairs, high)),
            S::or(S::and(S::shr_u32::<4>(b), low), S::and(S::shr_u32::<2>(pairs), high)),
        ]
    }
}

/// The sixteen scales as f32, not yet multiplied.
#[inline(always)]
unsafe fn bytes<S: Simd>(block: *const u8) -> [S::V; 4] {
    unsafe {
        let scales = S::load(block.add(SCALES));
        let (low, high) = (S::widen_low(scales), S::widen_high(scales));
        [
            S::from_i32(S::widen_i16_low(low)),
            S::from_i32(S::widen_i16_high(low)),
            S::from_i32(S::widen_i16_low(high)),
            S::from_i32(S::widen_i16_high(high)),
        ]
    }
}

impl Blocks for Q6_K {
    const LEN: usize = 256;
    const BYTES: usize = 210;
    const GROUP: usize = 16;
    const MINIMA: bool = false;

    #[inline(always)]
    unsafe fn codes<S: Simd>(block: *const u8, to: *mut i8) {
        let constants = unsafe { constants::<S>() };
        for at in 0..4 {
            let (half, part) = (at / 2, at % 2);
            unsafe {
                let to = to.add(128 * half + 16 * part);
                let [a, b, c, d] = quarter::<S>(block, half, part, &constants);
                let bias = S::splat_i8(-32);
                S::store(to, S::add_i8(a, bias));
                S::store(to.add(32), S::add_i8(b, bias));
                S::store(to.add(64), S::add_i8(c, bias));
                S::store(to.add(96), S::add_i8(d, bias));
            }
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(block: *const u8, scales: *mut f32, _: *mut f32) {
        unsafe {
            let scale = S::gather_halves(block.add(SCALE), 0);
            let [a, b, c, d] = bytes::<S>(block);
            S::store(scales, S::mul(a, scale));
            S::store(scales.add(4), S::mul(b, scale));
            S::store(scales.add(8), S::mul(c, scale));
            S::store(scales.add(12), S::mul(d, scale));
        }
    }

    #[inline(always)]
    unsafe fn dot4<S: Simd>(rows: *const u8, stride: usize, x: &Row, blocks: usize) -> S::V {
        unsafe { by_rows!(rows, stride, |row| dot::<S>(row, x, blocks)) }
    }
}

/// The product of one token and one row, in parts.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
unsafe fn dot<S: Simd>(mut block: *const u8, x: &Row, blocks: usize) -> S::V {
    let (mut codes, mut sums, mut scales) = (x.codes.as_ptr(), x.minus_sums.as_ptr(), x.scales.as_ptr());
    let mut table = [0f32; 16];
    // LLVM would keep the table in registers, of which there are too few.
    let table = std::hint::black_box(table.as_mut_ptr());
    unsafe {
        let constants = constants::<S>();
        let mut acc = [S::zero(); 2];
        for _ in 0..blocks {
            let scale = S::splat_half(block.add(SCALE));
            let (low, high) = (S::load(scales), S::load(scales.add(4)));
            // Each of the activations' scales serves two groups.
            let x_scales =
                [S::zip_low(low, low), S::zip_high(low, low), S::zip_low(high, high), S::zip_high(high, high)];
            let bytes = bytes::<S>(block);
            for i in 0..4 {
                let scales = S::mul(S::mul(bytes[i], scale), x_scales[i]);
                S::store(table.add(4 * i), scales);
                // What the codes are too high, times the activations.
                let minus = S::from_i32(S::shl_i32::<5>(S::load(sums.add(4 * i))));
                acc[i % 2] = S::fma(scales, minus, acc[i % 2]);
            }
            for at in 0..4 {
                let (half, part) = (at / 2, at % 2);
                let x = codes.add((128 * half + 16 * part) * S::DOT.bytes());
                let table = table.add(8 * half + part);
                for (i, sixteen) in quarter::<S>(block, half, part, &constants).into_iter().enumerate() {
                    let dot = S::dot_codes(S::zero(), sixteen, x.add(32 * i * S::DOT.bytes()));
                    acc[i % 2] = S::fma(S::from_i32(dot), S::load_splat(table.add(2 * i)), acc[i % 2]);
                }
            }
            block = block.add(Q6_K::BYTES);
            codes = codes.add(256 * S::DOT.bytes());
            (sums, scales) = (sums.add(16), scales.add(8));
        }
        S::add(acc[0], acc[1])
    }
}
