//! WebAssembly's fixed-width vectors and, in the artefacts built for them, the relaxed ones.

use core::{arch::wasm32::*, cell::UnsafeCell};

use super::{Dot, Kernel, Simd};

/// Every f16 as f32. (Zeros but for the sign take no room in the file: it is filled by [`fill_halves`].)
static HALVES: Table = Table(UnsafeCell::new([0.0; 1 << 16]));

struct Table(UnsafeCell<[f32; 1 << 16]>);

// Written once, before any thread has work; then only read.
unsafe impl Sync for Table {}

impl Table {
    #[inline(always)]
    fn as_ptr(&self) -> *const f32 {
        self.0.get().cast()
    }
}

/// Fills the table of halves; to be called before any kernel runs.
pub fn fill_halves() {
    let table = HALVES.0.get();
    // When a second executor is made, threads may be reading.
    if unsafe { (*table)[0x3c00] } == 1.0 {
        return;
    }
    for bits in 0..=u16::MAX {
        unsafe { (*table)[usize::from(bits)] = half::f16::from_bits(bits).to_f32() };
    }
}

/// DOT is 0 for 16-bit pairs; in a relaxed artefact also 1 where the relaxed dot product reads its second operand
/// without a sign, and 2 where it reads it with one (the standard leaves that to the machine).
#[derive(Clone, Copy)]
pub struct Wasm<const DOT: u8>;

impl<const DOT: u8> Simd for Wasm<DOT> {
    const DOT: Dot = match DOT {
        0 => Dot::Pairs,
        1 => Dot::Unsigned,
        _ => Dot::Signed,
    };
    type V = v128;

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        unsafe { kernel.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn load<T>(p: *const T) -> v128 {
        unsafe { v128_load(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store<T>(p: *mut T, v: v128) {
        unsafe { v128_store(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load64<T>(p: *const T) -> v128 {
        unsafe { v128_load64_zero(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store64<T>(p: *mut T, v: v128) {
        unsafe { v128_store64_lane::<0>(v, p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_splat<T>(p: *const T) -> v128 {
        unsafe { v128_load32_splat(p.cast()) }
    }
    #[inline(always)]
    unsafe fn zero() -> v128 {
        i32x4_splat(0)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> v128 {
        f32x4_splat(x)
    }
    #[inline(always)]
    unsafe fn splat_i32(x: i32) -> v128 {
        i32x4_splat(x)
    }
    #[inline(always)]
    unsafe fn splat_i8(x: i8) -> v128 {
        i8x16_splat(x)
    }

    #[inline(always)]
    unsafe fn and(a: v128, b: v128) -> v128 {
        v128_and(a, b)
    }
    #[inline(always)]
    unsafe fn or(a: v128, b: v128) -> v128 {
        v128_or(a, b)
    }
    #[inline(always)]
    unsafe fn xor(a: v128, b: v128) -> v128 {
        v128_xor(a, b)
    }
    #[inline(always)]
    unsafe fn select(mask: v128, a: v128, b: v128) -> v128 {
        v128_bitselect(a, b, mask)
    }

    #[inline(always)]
    unsafe fn add(a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: v128, b: v128) -> v128 {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: v128, b: v128) -> v128 {
        f32x4_div(a, b)
    }
    // One instruction on x86, where `f32x4_max` takes eight for the sake of NaN and signed zeros.
    #[inline(always)]
    unsafe fn max(a: v128, b: v128) -> v128 {
        f32x4_pmax(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: v128, b: v128) -> v128 {
        f32x4_pmin(a, b)
    }
    #[inline(always)]
    unsafe fn sqrt(a: v128) -> v128 {
        f32x4_sqrt(a)
    }
    #[inline(always)]
    unsafe fn fma(a: v128, b: v128, c: v128) -> v128 {
        #[cfg(target_feature = "relaxed-simd")]
        return f32x4_relaxed_madd(a, b, c);
        #[cfg(not(target_feature = "relaxed-simd"))]
        return f32x4_add(f32x4_mul(a, b), c);
    }
    #[inline(always)]
    unsafe fn lt(a: v128, b: v128) -> v128 {
        f32x4_lt(a, b)
    }
    #[inline(always)]
    unsafe fn round_i32(a: v128) -> v128 {
        #[cfg(target_feature = "relaxed-simd")]
        return i32x4_relaxed_trunc_f32x4(f32x4_nearest(a));
        #[cfg(not(target_feature = "relaxed-simd"))]
        return i32x4_trunc_sat_f32x4(f32x4_nearest(a));
    }
    #[inline(always)]
    unsafe fn from_i32(a: v128) -> v128 {
        f32x4_convert_i32x4(a)
    }

    #[inline(always)]
    unsafe fn add_i32(a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }
    #[inline(always)]
    unsafe fn sub_i32(a: v128, b: v128) -> v128 {
        i32x4_sub(a, b)
    }
    #[inline(always)]
    unsafe fn shl_i32<const N: u32>(a: v128) -> v128 {
        i32x4_shl(a, N)
    }
    #[inline(always)]
    unsafe fn shr_i32<const N: u32>(a: v128) -> v128 {
        i32x4_shr(a, N)
    }
    #[inline(always)]
    unsafe fn shr_u32<const N: u32>(a: v128) -> v128 {
        u32x4_shr(a, N)
    }
    #[inline(always)]
    unsafe fn shr_u8<const N: u32>(a: v128) -> v128 {
        u8x16_shr(a, N)
    }
    #[inline(always)]
    unsafe fn add_i8(a: v128, b: v128) -> v128 {
        i8x16_add(a, b)
    }
    #[inline(always)]
    unsafe fn eq_i8(a: v128, b: v128) -> v128 {
        i8x16_eq(a, b)
    }
    #[inline(always)]
    unsafe fn swizzle(a: v128, at: v128) -> v128 {
        #[cfg(target_feature = "relaxed-simd")]
        return i8x16_relaxed_swizzle(a, at);
        #[cfg(not(target_feature = "relaxed-simd"))]
        return i8x16_swizzle(a, at);
    }

    #[inline(always)]
    unsafe fn zip_low(a: v128, b: v128) -> v128 {
        i32x4_shuffle::<0, 4, 1, 5>(a, b)
    }
    #[inline(always)]
    unsafe fn zip_high(a: v128, b: v128) -> v128 {
        i32x4_shuffle::<2, 6, 3, 7>(a, b)
    }
    #[inline(always)]
    unsafe fn low_halves(a: v128, b: v128) -> v128 {
        i32x4_shuffle::<0, 1, 4, 5>(a, b)
    }
    #[inline(always)]
    unsafe fn high_halves(a: v128, b: v128) -> v128 {
        i32x4_shuffle::<2, 3, 6, 7>(a, b)
    }
    #[inline(always)]
    unsafe fn lane<const L: usize>(a: v128) -> v128 {
        match L {
            0 => i32x4_shuffle::<0, 0, 0, 0>(a, a),
            1 => i32x4_shuffle::<1, 1, 1, 1>(a, a),
            2 => i32x4_shuffle::<2, 2, 2, 2>(a, a),
            _ => i32x4_shuffle::<3, 3, 3, 3>(a, a),
        }
    }
    #[inline(always)]
    unsafe fn first_f32(a: v128) -> f32 {
        f32x4_extract_lane::<0>(a)
    }
    #[inline(always)]
    unsafe fn first_i32(a: v128) -> i32 {
        i32x4_extract_lane::<0>(a)
    }
    #[inline(always)]
    unsafe fn narrow([a, b, c, d]: [v128; 4]) -> v128 {
        i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d))
    }
    #[inline(always)]
    unsafe fn widen_low(a: v128) -> v128 {
        i16x8_extend_low_i8x16(a)
    }
    #[inline(always)]
    unsafe fn widen_high(a: v128) -> v128 {
        i16x8_extend_high_i8x16(a)
    }
    #[inline(always)]
    unsafe fn widen_i16_low(a: v128) -> v128 {
        i32x4_extend_low_i16x8(a)
    }
    #[inline(always)]
    unsafe fn widen_i16_high(a: v128) -> v128 {
        i32x4_extend_high_i16x8(a)
    }
    // Not by the usual multiplication with 2¹¹²: a denormal operand there costs x86 a hundred cycles, and small
    // scales of blocks are denormal halves.
    #[inline(always)]
    unsafe fn half_to_f32(a: v128) -> v128 {
        let sign = i32x4_shl(v128_and(a, i32x4_splat(0x8000)), 16);
        let magnitude = v128_and(a, i32x4_splat(0x7fff));
        let exponent_up = i32x4_add(i32x4_shl(magnitude, 13), i32x4_splat(112 << 23));
        let infinite = v128_and(i32x4_gt(magnitude, i32x4_splat(0x7bff)), i32x4_splat(112 << 23));
        let normal = i32x4_add(exponent_up, infinite);
        let denormal = f32x4_mul(f32x4_convert_i32x4(magnitude), f32x4_splat(f32::from_bits((127 - 24) << 23)));
        let small = i32x4_lt(magnitude, i32x4_splat(0x0400));
        v128_or(sign, v128_bitselect(denormal, normal, small))
    }
    #[inline(always)]
    unsafe fn load_halves(p: *const u16) -> v128 {
        // The multiplication that `half_to_f32` avoids: among weights and cached rows denormals are few, and this takes
        // half as many instructions.
        let bits = v128_and(i32x4_shl(unsafe { i32x4_load_extend_i16x4(p.cast()) }, 13), u32x4_splat(0x8fff_e000));
        let infinite = i32x4_gt(v128_and(bits, i32x4_splat(0x0fff_e000)), i32x4_splat(0x0f7f_ffff));
        let scaled = f32x4_mul(bits, f32x4_splat(f32::from_bits((127 + 112) << 23)));
        v128_or(scaled, v128_and(infinite, i32x4_splat(0x7f80_0000)))
    }
    // By a table: a load where arithmetic takes thirteen instructions and, in V8, as many again for its constants.
    // The scales of a matrix are few hundred numbers, so what is used of the table stays in the first cache.
    #[inline(always)]
    unsafe fn splat_half(p: *const u8) -> v128 {
        unsafe { v128_load32_splat(HALVES.as_ptr().add(usize::from(p.cast::<u16>().read_unaligned())).cast()) }
    }
    #[inline(always)]
    unsafe fn f32_to_half(a: v128) -> v128 {
        let sign = v128_and(u32x4_shr(a, 16), i32x4_splat(0x8000));
        let magnitude = v128_and(a, i32x4_splat(0x7fff_ffff));
        // Rounding by the adder: the sum's last bit is the half's.
        let odd = v128_and(u32x4_shr(magnitude, 13), i32x4_splat(1));
        let rounded = i32x4_add(magnitude, i32x4_add(odd, i32x4_splat(0x0fff - (112 << 23))));
        let normal = u32x4_shr(rounded, 13);
        let half = f32x4_splat(0.5);
        let denormal = i32x4_sub(f32x4_add(magnitude, half), half);
        let small = i32x4_lt(magnitude, i32x4_splat(113 << 23));
        let bits = v128_bitselect(denormal, normal, small);
        let bits = v128_bitselect(i32x4_splat(0x7c00), bits, i32x4_gt(magnitude, i32x4_splat(0x477f_efff)));
        let bits = v128_bitselect(i32x4_splat(0x7e00), bits, i32x4_gt(magnitude, i32x4_splat(0x7f80_0000)));
        let bits = v128_or(sign, bits);
        u16x8_narrow_i32x4(bits, bits)
    }

    #[inline(always)]
    unsafe fn dot(acc: v128, w: v128, x: v128) -> v128 {
        #[cfg(target_feature = "relaxed-simd")]
        if DOT != 0 {
            return i32x4_relaxed_dot_i8x16_i7x16_add(w, x, acc);
        }
        i32x4_add(acc, i32x4_dot_i16x8(w, x))
    }
    #[inline(always)]
    unsafe fn dot_codes(acc: v128, codes: v128, x: *const u8) -> v128 {
        unsafe {
            #[cfg(target_feature = "relaxed-simd")]
            if DOT != 0 {
                return i32x4_relaxed_dot_i8x16_i7x16_add(Self::load(x), codes, acc);
            }
            let low = i32x4_dot_i16x8(Self::widen_low(codes), Self::load(x));
            let high = i32x4_dot_i16x8(Self::widen_high(codes), Self::load(x.add(16)));
            i32x4_add(acc, i32x4_add(low, high))
        }
    }
}
