//! x86-64 from AVX2 on, 128 bits at a time.

use std::arch::x86_64::*;

use super::{Dot, Kernel, Simd};

/// AVX2, FMA and F16C; VNNI is 0 without it, 1 in its AVX form and 2 in its AVX-512 form.
#[derive(Clone, Copy)]
pub struct X86<const VNNI: u8>;

macro_rules! as_f32 {
    ($f:ident($($a:ident),+)) => { _mm_castps_si128($f($(_mm_castsi128_ps($a)),+)) };
}

impl<const VNNI: u8> Simd for X86<VNNI> {
    const DOT: Dot = if VNNI == 0 { Dot::Pairs } else { Dot::Unsigned };
    type V = __m128i;

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn plain<K: Kernel>(kernel: K) -> K::Output {
            unsafe { kernel.run::<X86<0>>() }
        }
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        unsafe fn vex<K: Kernel>(kernel: K) -> K::Output {
            unsafe { kernel.run::<X86<1>>() }
        }
        #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512vl,avx512bw,avx512vnni")]
        unsafe fn evex<K: Kernel>(kernel: K) -> K::Output {
            unsafe { kernel.run::<X86<2>>() }
        }
        unsafe {
            match VNNI {
                0 => plain(kernel),
                1 => vex(kernel),
                _ => evex(kernel),
            }
        }
    }

    #[inline(always)]
    unsafe fn load<T>(p: *const T) -> __m128i {
        unsafe { _mm_loadu_si128(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store<T>(p: *mut T, v: __m128i) {
        unsafe { _mm_storeu_si128(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load64<T>(p: *const T) -> __m128i {
        unsafe { _mm_loadl_epi64(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store64<T>(p: *mut T, v: __m128i) {
        unsafe { _mm_storel_epi64(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load_splat<T>(p: *const T) -> __m128i {
        unsafe { _mm_set1_epi32(p.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn zero() -> __m128i {
        unsafe { _mm_setzero_si128() }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m128i {
        unsafe { _mm_castps_si128(_mm_set1_ps(x)) }
    }
    #[inline(always)]
    unsafe fn splat_i32(x: i32) -> __m128i {
        unsafe { _mm_set1_epi32(x) }
    }
    #[inline(always)]
    unsafe fn splat_i8(x: i8) -> __m128i {
        unsafe { _mm_set1_epi8(x) }
    }

    #[inline(always)]
    unsafe fn and(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_and_si128(a, b) }
    }
    #[inline(always)]
    unsafe fn or(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_or_si128(a, b) }
    }
    #[inline(always)]
    unsafe fn xor(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_xor_si128(a, b) }
    }
    #[inline(always)]
    unsafe fn select(mask: __m128i, a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b)) }
    }

    #[inline(always)]
    unsafe fn add(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_add_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_sub_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_mul_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn div(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_div_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn max(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_max_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn min(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_min_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_sqrt_ps(a)) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_fmadd_ps(a, b, c)) }
    }
    #[inline(always)]
    unsafe fn lt(a: __m128i, b: __m128i) -> __m128i {
        unsafe { as_f32!(_mm_cmplt_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn round_i32(a: __m128i) -> __m128i {
        unsafe { _mm_cvtps_epi32(_mm_castsi128_ps(a)) }
    }
    #[inline(always)]
    unsafe fn from_i32(a: __m128i) -> __m128i {
        unsafe { _mm_castps_si128(_mm_cvtepi32_ps(a)) }
    }

    #[inline(always)]
    unsafe fn add_i32(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub_i32(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_sub_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn shl_i32<const N: u32>(a: __m128i) -> __m128i {
        unsafe { _mm_sll_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }
    #[inline(always)]
    unsafe fn shr_i32<const N: u32>(a: __m128i) -> __m128i {
        unsafe { _mm_sra_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }
    #[inline(always)]
    unsafe fn shr_u32<const N: u32>(a: __m128i) -> __m128i {
        unsafe { _mm_srl_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }
    #[inline(always)]
    unsafe fn shr_u8<const N: u32>(a: __m128i) -> __m128i {
        unsafe { _mm_and_si128(Self::shr_u32::<N>(a), _mm_set1_epi8((0xffu8 >> N) as i8)) }
    }
    #[inline(always)]
    unsafe fn add_i8(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_add_epi8(a, b) }
    }
    #[inline(always)]
    unsafe fn eq_i8(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_cmpeq_epi8(a, b) }
    }
    #[inline(always)]
    unsafe fn swizzle(a: __m128i, at: __m128i) -> __m128i {
        unsafe { _mm_shuffle_epi8(a, at) }
    }

    #[inline(always)]
    unsafe fn zip_low(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_unpacklo_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn zip_high(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_unpackhi_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn low_halves(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_unpacklo_epi64(a, b) }
    }
    #[inline(always)]
    unsafe fn high_halves(a: __m128i, b: __m128i) -> __m128i {
        unsafe { _mm_unpackhi_epi64(a, b) }
    }
    #[inline(always)]
    unsafe fn lane<const L: usize>(a: __m128i) -> __m128i {
        unsafe {
            match L {
                0 => _mm_shuffle_epi32::<0x00>(a),
                1 => _mm_shuffle_epi32::<0x55>(a),
                2 => _mm_shuffle_epi32::<0xaa>(a),
                _ => _mm_shuffle_epi32::<0xff>(a),
            }
        }
    }
    #[inline(always)]
    unsafe fn first_f32(a: __m128i) -> f32 {
        unsafe { _mm_cvtss_f32(_mm_castsi128_ps(a)) }
    }
    #[inline(always)]
    unsafe fn first_i32(a: __m128i) -> i32 {
        unsafe { _mm_cvtsi128_si32(a) }
    }
    #[inline(always)]
    unsafe fn narrow([a, b, c, d]: [__m128i; 4]) -> __m128i {
        unsafe { _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d)) }
    }
    #[inline(always)]
    unsafe fn widen_low(a: __m128i) -> __m128i {
        unsafe { _mm_cvtepi8_epi16(a) }
    }
    #[inline(always)]
    unsafe fn widen_high(a: __m128i) -> __m128i {
        unsafe { _mm_cvtepi8_epi16(_mm_unpackhi_epi64(a, a)) }
    }
    #[inline(always)]
    unsafe fn widen_i16_low(a: __m128i) -> __m128i {
        unsafe { _mm_cvtepi16_epi32(a) }
    }
    #[inline(always)]
    unsafe fn widen_i16_high(a: __m128i) -> __m128i {
        unsafe { _mm_cvtepi16_epi32(_mm_unpackhi_epi64(a, a)) }
    }
    #[inline(always)]
    unsafe fn half_to_f32(a: __m128i) -> __m128i {
        unsafe { _mm_castps_si128(_mm_cvtph_ps(_mm_packus_epi32(a, a))) }
    }
    #[inline(always)]
    unsafe fn load_halves(p: *const u16) -> __m128i {
        unsafe { _mm_castps_si128(_mm_cvtph_ps(_mm_loadl_epi64(p.cast()))) }
    }
    #[inline(always)]
    unsafe fn splat_half(p: *const u8) -> __m128i {
        unsafe { _mm_castps_si128(_mm_cvtph_ps(_mm_set1_epi16(p.cast::<i16>().read_unaligned()))) }
    }
    #[inline(always)]
    unsafe fn f32_to_half(a: __m128i) -> __m128i {
        unsafe { _mm_cvtps_ph::<0>(_mm_castsi128_ps(a)) }
    }

    #[inline(always)]
    unsafe fn dot(acc: __m128i, w: __m128i, x: __m128i) -> __m128i {
        unsafe {
            match VNNI {
                0 => _mm_add_epi32(acc, _mm_madd_epi16(w, x)),
                1 => _mm_dpbusd_avx_epi32(acc, x, w),
                _ => _mm_dpbusd_epi32(acc, x, w),
            }
        }
    }
    #[inline(always)]
    unsafe fn dot_codes(acc: __m128i, codes: __m128i, x: *const u8) -> __m128i {
        unsafe {
            match VNNI {
                0 => {
                    let low = _mm_madd_epi16(Self::widen_low(codes), Self::load(x));
                    let high = _mm_madd_epi16(Self::widen_high(codes), Self::load(x.add(16)));
                    _mm_add_epi32(acc, _mm_add_epi32(low, high))
                }
                1 => _mm_dpbusd_avx_epi32(acc, codes, Self::load(x)),
                _ => _mm_dpbusd_epi32(acc, codes, Self::load(x)),
            }
        }
    }
}
