//! Functions that machines have no instruction for, four lanes at a time.
//!
//! Two are enough: every activation and the softmax are made of 2ᵗ and the tail of the normal distribution. The
//! coefficients are minimax fits, found by Lawson's iteration in 40 digits and rounded to f32.

use super::simd::Simd;

/// 1.5·2²³: a number added to it is rounded to an integer, which stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// A polynomial by Horner's rule; the coefficient of the highest power comes first.
macro_rules! polynomial {
    ($x:expr; $first:expr $(, $next:expr)+) => {{
        let p = S::splat($first);
        $(let p = S::fma(p, $x, S::splat($next));)+
        p
    }};
}

/// 2ᵗ with an error of 1.5 units in the last place; 0 below −125.5 (where f32 has no normal numbers soon after), infinite
/// from 128 on.
#[inline(always)]
pub unsafe fn exp2<S: Simd>(t: S::V) -> S::V {
    unsafe {
        let t = S::min(S::max(t, S::splat(-126.0)), S::splat(128.0));
        // t = n + r with |r| ≤ ½. The sum's lowest bits are n + 126, which shifted is 2ⁿ⁻¹, or 0 when n is −126; the
        // polynomial is 2·2ʳ, so that 2¹²⁸ needs no exponent that f32 lacks.
        let shifted = S::add(t, S::splat(ROUND + 126.0));
        let r = S::sub(t, S::sub(shifted, S::splat(ROUND + 126.0)));
        let twice = polynomial!(r; 3.070_672_4e-4, 2.679_774_8e-3, 1.923_683_6e-2, 0.111_006_65, 0.480_452_95, 1.386_294_4, 2.0);
        S::mul(twice, S::shl_i32::<23>(shifted))
    }
}

/// The standard normal distribution's part above a, for a ≥ 0, with an error of 2⁻²³.
///
/// Its logarithm is close to a parabola, and so to a polynomial: one that is right where the tail is not yet nothing,
/// and large beyond.
#[inline(always)]
pub unsafe fn normal_tail<S: Simd>(a: S::V) -> S::V {
    unsafe {
        exp2::<S>(polynomial!(a;
            -8.758_002e-7, 1.845_491_4e-5, -9.881_794e-5, -3.190_078e-4, 7.263_736e-3, -5.260_906_4e-2, -0.459_179_4,
            -1.151_107_5, -1.0
        ))
    }
}
