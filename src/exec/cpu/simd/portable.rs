//! Four lanes in plain Rust: for machines without an implementation of their own, and what the others must equal.

use half::f16;

use super::{Dot, Kernel, Simd};

/// Arrays. DOT is 0 for 16-bit pairs; 1 and 2 stand in for machines that multiply bytes, without a sign and with one.
#[derive(Clone, Copy)]
pub struct Portable<const DOT: u8 = 0>;

/// Sixteen bytes.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub union Bits {
    bytes: [i8; 16],
    i16s: [i16; 8],
    i32s: [i32; 4],
    u32s: [u32; 4],
    u64s: [u64; 2],
    f32s: [f32; 4],
}

macro_rules! lanes {
    ($field:ident: $($v:ident),+ => $f:expr) => {{
        // Any bits are valid in every field of the union.
        Bits { $field: std::array::from_fn(|i| { $(let $v = unsafe { $v.$field[i] };)+ $f }) }
    }};
}

fn mask(is: bool) -> u32 {
    if is { u32::MAX } else { 0 }
}

impl<const DOT: u8> Simd for Portable<DOT> {
    const DOT: Dot = match DOT {
        0 => Dot::Pairs,
        1 => Dot::Unsigned,
        _ => Dot::Signed,
    };
    type V = Bits;

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        unsafe { kernel.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn load<T>(p: *const T) -> Bits {
        unsafe { p.cast::<Bits>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store<T>(p: *mut T, v: Bits) {
        unsafe { p.cast::<Bits>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load64<T>(p: *const T) -> Bits {
        Bits { u64s: [unsafe { p.cast::<u64>().read_unaligned() }, 0] }
    }
    #[inline(always)]
    unsafe fn store64<T>(p: *mut T, v: Bits) {
        unsafe { p.cast::<u64>().write_unaligned(v.u64s[0]) }
    }
    #[inline(always)]
    unsafe fn load_splat<T>(p: *const T) -> Bits {
        Bits { u32s: [unsafe { p.cast::<u32>().read_unaligned() }; 4] }
    }
    #[inline(always)]
    unsafe fn zero() -> Bits {
        Bits { u64s: [0; 2] }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Bits {
        Bits { f32s: [x; 4] }
    }
    #[inline(always)]
    unsafe fn splat_i32(x: i32) -> Bits {
        Bits { i32s: [x; 4] }
    }
    #[inline(always)]
    unsafe fn splat_i8(x: i8) -> Bits {
        Bits { bytes: [x; 16] }
    }

    #[inline(always)]
    unsafe fn and(a: Bits, b: Bits) -> Bits {
        lanes!(u64s: a, b => a & b)
    }
    #[inline(always)]
    unsafe fn or(a: Bits, b: Bits) -> Bits {
        lanes!(u64s: a, b => a | b)
    }
    #[inline(always)]
    unsafe fn xor(a: Bits, b: Bits) -> Bits {
        lanes!(u64s: a, b => a ^ b)
    }
    #[inline(always)]
    unsafe fn select(mask: Bits, a: Bits, b: Bits) -> Bits {
        lanes!(u64s: mask, a, b => (mask & a) | (!mask & b))
    }

    #[inline(always)]
    unsafe fn add(a: Bits, b: Bits) -> Bits {
        lanes!(f32s: a, b => a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Bits, b: Bits) -> Bits {
        lanes!(f32s: a, b => a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Bits, b: Bits) -> Bits {
        lanes!(f32s: a, b => a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Bits, b: Bits) -> Bits {
        lanes!(f32s: a, b => a / b)
    }
    #[inline(always)]
    unsafe fn max(a: Bits, b: Bits) -> Bits {
        lanes!(f32s: a, b => if a < b { b } else { a })
    }
    #[inline(always)]
    unsafe fn min(a: Bits, b: Bits) -> Bits {
        lanes!(f32s: a, b => if b < a { b } else { a })
    }
    #[inline(always)]
    unsafe fn sqrt(a: Bits) -> Bits {
        lanes!(f32s: a => a.sqrt())
    }
    #[inline(always)]
    unsafe fn fma(a: Bits, b: Bits, c: Bits) -> Bits {
        lanes!(f32s: a, b, c => a * b + c)
    }
    #[inline(always)]
    unsafe fn lt(a: Bits, b: Bits) -> Bits {
        Bits { u32s: std::array::from_fn(|i| unsafe { mask(a.f32s[i] < b.f32s[i]) }) }
    }
    #[inline(always)]
    unsafe fn round_i32(a: Bits) -> Bits {
        Bits { i32s: std::array::from_fn(|i| unsafe { a.f32s[i] }.round_ties_even() as i32) }
    }
    #[inline(always)]
    unsafe fn from_i32(a: Bits) -> Bits {
        Bits { f32s: std::array::from_fn(|i| unsafe { a.i32s[i] } as f32) }
    }

    #[inline(always)]
    unsafe fn add_i32(a: Bits, b: Bits) -> Bits {
        lanes!(i32s: a, b => a.wrapping_add(b))
    }
    #[inline(always)]
    unsafe fn sub_i32(a: Bits, b: Bits) -> Bits {
        lanes!(i32s: a, b => a.wrapping_sub(b))
    }
    #[inline(always)]
    unsafe fn shl_i32<const N: u32>(a: Bits) -> Bits {
        lanes!(i32s: a => a << N)
    }
    #[inline(always)]
    unsafe fn shr_i32<const N: u32>(a: Bits) -> Bits {
        lanes!(i32s: a => a >> N)
    }
    #[inline(always)]
    unsafe fn shr_u32<const N: u32>(a: Bits) -> Bits {
        lanes!(u32s: a => a >> N)
    }
    #[inline(always)]
    unsafe fn shr_u8<const N: u32>(a: Bits) -> Bits {
        lanes!(bytes: a => ((a as u8) >> N) as i8)
    }
    #[inline(always)]
    unsafe fn add_i8(a: Bits, b: Bits) -> Bits {
        lanes!(bytes: a, b => a.wrapping_add(b))
    }
    #[inline(always)]
    unsafe fn eq_i8(a: Bits, b: Bits) -> Bits {
        lanes!(bytes: a, b => if a == b { -1 } else { 0 })
    }
    #[inline(always)]
    unsafe fn swizzle(a: Bits, at: Bits) -> Bits {
        Bits { bytes: std::array::from_fn(|i| unsafe { a.bytes[(at.bytes[i] & 15) as usize] }) }
    }

    #[inline(always)]
    unsafe fn zip_low(a: Bits, b: Bits) -> Bits {
        let (a, b) = unsafe { (a.u32s, b.u32s) };
        Bits { u32s: [a[0], b[0], a[1], b[1]] }
    }
    #[inline(always)]
    unsafe fn zip_high(a: Bits, b: Bits) -> Bits {
        let (a, b) = unsafe { (a.u32s, b.u32s) };
        Bits { u32s: [a[2], b[2], a[3], b[3]] }
    }
    #[inline(always)]
    unsafe fn low_halves(a: Bits, b: Bits) -> Bits {
        Bits { u64s: unsafe { [a.u64s[0], b.u64s[0]] } }
    }
    #[inline(always)]
    unsafe fn high_halves(a: Bits, b: Bits) -> Bits {
        Bits { u64s: unsafe { [a.u64s[1], b.u64s[1]] } }
    }
    #[inline(always)]
    unsafe fn lane<const L: usize>(a: Bits) -> Bits {
        Bits { u32s: [unsafe { a.u32s[L] }; 4] }
    }
    #[inline(always)]
    unsafe fn first_f32(a: Bits) -> f32 {
        unsafe { a.f32s[0] }
    }
    #[inline(always)]
    unsafe fn first_i32(a: Bits) -> i32 {
        unsafe { a.i32s[0] }
    }
    #[inline(always)]
    unsafe fn narrow(a: [Bits; 4]) -> Bits {
        Bits { bytes: std::array::from_fn(|i| unsafe { a[i / 4].i32s[i % 4] }.clamp(-128, 127) as i8) }
    }
    #[inline(always)]
    unsafe fn widen_low(a: Bits) -> Bits {
        Bits { i16s: std::array::from_fn(|i| unsafe { a.bytes[i] }.into()) }
    }
    #[inline(always)]
    unsafe fn widen_high(a: Bits) -> Bits {
        Bits { i16s: std::array::from_fn(|i| unsafe { a.bytes[8 + i] }.into()) }
    }
    #[inline(always)]
    unsafe fn widen_i16_low(a: Bits) -> Bits {
        Bits { i32s: std::array::from_fn(|i| unsafe { a.i16s[i] }.into()) }
    }
    #[inline(always)]
    unsafe fn widen_i16_high(a: Bits) -> Bits {
        Bits { i32s: std::array::from_fn(|i| unsafe { a.i16s[4 + i] }.into()) }
    }
    #[inline(always)]
    unsafe fn half_to_f32(a: Bits) -> Bits {
        Bits { f32s: std::array::from_fn(|i| f16::from_bits(unsafe { a.u32s[i] } as u16).to_f32()) }
    }
    #[inline(always)]
    unsafe fn load_halves(p: *const u16) -> Bits {
        let halves = unsafe { p.cast::<[u16; 4]>().read_unaligned() };
        Bits { f32s: std::array::from_fn(|i| f16::from_bits(halves[i]).to_f32()) }
    }
    #[inline(always)]
    unsafe fn splat_half(p: *const u8) -> Bits {
        Bits { f32s: [f16::from_bits(unsafe { p.cast::<u16>().read_unaligned() }).to_f32(); 4] }
    }
    #[inline(always)]
    unsafe fn f32_to_half(a: Bits) -> Bits {
        let half = |i: usize| f16::from_f32(unsafe { a.f32s[i % 4] }).to_bits() as i16;
        Bits { i16s: std::array::from_fn(half) }
    }

    #[inline(always)]
    unsafe fn dot(acc: Bits, w: Bits, x: Bits) -> Bits {
        let (w, x, at) = unsafe { (w, x, acc.i32s) };
        let pair = |i: usize| unsafe { i32::from(w.i16s[i]) * i32::from(x.i16s[i]) };
        let byte = |i: usize| unsafe { i32::from(w.bytes[i]) * number::<DOT>(x.bytes[i]) };
        Bits {
            i32s: std::array::from_fn(|i| {
                at[i]
                    + match DOT {
                        0 => pair(2 * i) + pair(2 * i + 1),
                        _ => (4 * i..4 * i + 4).map(byte).sum(),
                    }
            }),
        }
    }
    #[inline(always)]
    unsafe fn dot_codes(acc: Bits, codes: Bits, x: *const u8) -> Bits {
        unsafe {
            if DOT != 0 {
                return Self::dot(acc, Self::load(x), codes);
            }
            let acc = Self::dot(acc, Self::widen_low(codes), Self::load(x));
            Self::dot(acc, Self::widen_high(codes), Self::load(x.add(16)))
        }
    }
}

/// A byte as the second operand of a dot product of bytes.
fn number<const DOT: u8>(byte: i8) -> i32 {
    if DOT == 1 { i32::from(byte as u8) } else { i32::from(byte) }
}
