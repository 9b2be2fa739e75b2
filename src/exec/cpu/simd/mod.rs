//! Vectors of 128 bits: what a browser has, and so what every kernel is written in, once.
//!
//! [`Simd`] names the instructions the kernels use, each implementation a machine that has them. A kernel is an
//! `#[inline(always)]` function over `S: Simd` wrapped in a [`Kernel`], so that [`Simd::enter`] can compile all of it
//! with the machine's features on; a call into a function without them would cost more than the work.

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(not(target_arch = "wasm32"))]
pub use portable::Portable;
#[cfg(target_arch = "wasm32")]
pub use wasm::{Wasm, fill_halves};
#[cfg(target_arch = "x86_64")]
pub use x86::X86;

/// Which integers [`Simd::dot`] multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// Four bytes to a lane, the second operand's without a sign (x86's VNNI).
    Unsigned,
    /// Four bytes to a lane, all signed (Arm's SDOT).
    Signed,
    /// Two 16-bit numbers to a lane: where there is nothing better.
    Pairs,
}

impl Dot {
    /// Bytes of one activation.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Unsigned | Self::Signed => 1,
            Self::Pairs => 2,
        }
    }
}

/// Work that is compiled for each machine.
pub trait Kernel {
    /// What it gives.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// The machine must have the instructions of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// A machine's 128-bit instructions. A vector is four f32 or i32, eight i16 or sixteen bytes, as the method's name says.
///
/// # Safety
/// Every method needs the machine to have the instructions; those that take a pointer read or write as many bytes there
/// as they say, without need of alignment.
#[allow(clippy::missing_safety_doc, missing_docs, reason = "said once, above; the names are the instructions' own")]
pub trait Simd: Copy + 'static {
    /// What `dot` multiplies.
    const DOT: Dot;
    type V: Copy;

    /// Runs a kernel compiled for this machine.
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output;

    /// 16 bytes.
    unsafe fn load<T>(p: *const T) -> Self::V;
    unsafe fn store<T>(p: *mut T, v: Self::V);
    /// The low 8 bytes; the rest is zero.
    unsafe fn load64<T>(p: *const T) -> Self::V;
    unsafe fn store64<T>(p: *mut T, v: Self::V);
    /// 4 bytes, in every lane.
    unsafe fn load_splat<T>(p: *const T) -> Self::V;
    unsafe fn zero() -> Self::V;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn splat_i32(x: i32) -> Self::V;
    unsafe fn splat_i8(x: i8) -> Self::V;

    unsafe fn and(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn or(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn xor(a: Self::V, b: Self::V) -> Self::V;
    /// The bits of `a` where `mask` has ones, else of `b`.
    unsafe fn select(mask: Self::V, a: Self::V, b: Self::V) -> Self::V;

    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// The larger; either when one is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; either when one is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// a·b + c, in one rounding or two.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Ones where a < b.
    unsafe fn lt(a: Self::V, b: Self::V) -> Self::V;
    /// To the nearest integer, even among equals, for |a| < 2³¹.
    unsafe fn round_i32(a: Self::V) -> Self::V;
    unsafe fn from_i32(a: Self::V) -> Self::V;

    unsafe fn add_i32(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub_i32(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn shl_i32<const N: u32>(a: Self::V) -> Self::V;
    /// Arithmetic.
    unsafe fn shr_i32<const N: u32>(a: Self::V) -> Self::V;
    /// Logical.
    unsafe fn shr_u32<const N: u32>(a: Self::V) -> Self::V;
    /// Logical, of each byte.
    unsafe fn shr_u8<const N: u32>(a: Self::V) -> Self::V;
    unsafe fn add_i8(a: Self::V, b: Self::V) -> Self::V;
    /// Ones in the bytes that are equal.
    unsafe fn eq_i8(a: Self::V, b: Self::V) -> Self::V;
    /// The byte of `a` that each byte of `at` (0–15) names.
    unsafe fn swizzle(a: Self::V, at: Self::V) -> Self::V;

    /// Lanes a₀ b₀ a₁ b₁.
    unsafe fn zip_low(a: Self::V, b: Self::V) -> Self::V;
    /// Lanes a₂ b₂ a₃ b₃.
    unsafe fn zip_high(a: Self::V, b: Self::V) -> Self::V;
    /// Lanes a₀ a₁ b₀ b₁.
    unsafe fn low_halves(a: Self::V, b: Self::V) -> Self::V;
    /// Lanes a₂ a₃ b₂ b₃.
    unsafe fn high_halves(a: Self::V, b: Self::V) -> Self::V;
    /// Lane `L` in every lane.
    unsafe fn lane<const L: usize>(a: Self::V) -> Self::V;
    unsafe fn first_f32(a: Self::V) -> f32;
    unsafe fn first_i32(a: Self::V) -> i32;
    /// Sixteen i8 out of four times four i32; what does not fit is cut to the nearest that does.
    unsafe fn narrow(a: [Self::V; 4]) -> Self::V;
    /// The low eight bytes, signed, as i16.
    unsafe fn widen_low(a: Self::V) -> Self::V;
    /// The high eight bytes, signed, as i16.
    unsafe fn widen_high(a: Self::V) -> Self::V;
    /// The low four i16, signed, as i32.
    unsafe fn widen_i16_low(a: Self::V) -> Self::V;
    /// The high four i16, signed, as i32.
    unsafe fn widen_i16_high(a: Self::V) -> Self::V;
    /// Four f16, lanes' low 16 bits with zeros above, as f32; denormals too.
    unsafe fn half_to_f32(a: Self::V) -> Self::V;
    /// Four f16 at p (8 bytes) as f32.
    unsafe fn load_halves(p: *const u16) -> Self::V;
    /// The f16 at p as f32, in every lane.
    unsafe fn splat_half(p: *const u8) -> Self::V;
    /// Four f32 to f16, nearest and even among equals, in the low 8 bytes.
    unsafe fn f32_to_half(a: Self::V) -> Self::V;

    /// acc + the products of w's and x's numbers, lane by lane. `w` is signed; `x` as [`Self::DOT`] says. Exact.
    unsafe fn dot(acc: Self::V, w: Self::V, x: Self::V) -> Self::V;
    /// acc + the products of sixteen weight codes and the sixteen signed activations at `x` (16·[`Dot::bytes`] bytes of
    /// them). Codes are −128…127 or, where `DOT` is `Unsigned`, 0…255. Lanes hold parts of the sum. Exact.
    unsafe fn dot_codes(acc: Self::V, codes: Self::V, x: *const u8) -> Self::V;

    /// The sum of the four f32.
    #[inline(always)]
    unsafe fn sum(a: Self::V) -> f32 {
        unsafe {
            let a = Self::add(a, Self::high_halves(a, a));
            Self::first_f32(Self::add(a, Self::lane::<1>(a)))
        }
    }

    /// The largest of the four f32.
    #[inline(always)]
    unsafe fn largest(a: Self::V) -> f32 {
        unsafe {
            let a = Self::max(a, Self::high_halves(a, a));
            Self::first_f32(Self::max(a, Self::lane::<1>(a)))
        }
    }

    /// The sum of the four i32.
    #[inline(always)]
    unsafe fn sum_i32(a: Self::V) -> i32 {
        unsafe {
            let a = Self::add_i32(a, Self::high_halves(a, a));
            Self::first_i32(Self::add_i32(a, Self::lane::<1>(a)))
        }
    }

    /// |a|.
    #[inline(always)]
    unsafe fn abs(a: Self::V) -> Self::V {
        unsafe { Self::and(a, Self::splat_i32(0x7fff_ffff)) }
    }

    /// Four lanes of four vectors, rows turned to columns.
    #[inline(always)]
    unsafe fn transpose([a, b, c, d]: [Self::V; 4]) -> [Self::V; 4] {
        unsafe {
            let (ac0, ac1) = (Self::zip_low(a, c), Self::zip_high(a, c));
            let (bd0, bd1) = (Self::zip_low(b, d), Self::zip_high(b, d));
            [Self::zip_low(ac0, bd0), Self::zip_high(ac0, bd0), Self::zip_low(ac1, bd1), Self::zip_high(ac1, bd1)]
        }
    }

    /// Four sums: lane i of the result is the sum of the lanes of vector i.
    #[inline(always)]
    unsafe fn sums(rows: [Self::V; 4]) -> Self::V {
        unsafe {
            let [a, b, c, d] = Self::transpose(rows);
            Self::add(Self::add(a, b), Self::add(c, d))
        }
    }

    /// Four f16 at p, `stride` bytes apart, as f32.
    #[inline(always)]
    unsafe fn gather_halves(p: *const u8, stride: usize) -> Self::V {
        unsafe {
            let half = |i: usize| i32::from(p.add(i * stride).cast::<u16>().read_unaligned());
            let lanes = [half(0), half(1), half(2), half(3)];
            Self::half_to_f32(Self::load(lanes.as_ptr()))
        }
    }
}
