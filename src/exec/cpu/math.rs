//! Functions that machines have no instruction for, four lanes at a time.
//!
//! Every activation and the softmax are made of 2ᵗ, the tail of the normal distribution and a logarithm. The coefficients
//! are minimax fits, found by Lawson's iteration in 40 digits and rounded to f32.

use super::simd::Simd;

/// Where in memory a loop finds its constants: made before it.
///
/// V8 makes a constant vector anew wherever it is used, in four or five instructions; a load from memory that fills all
/// lanes is one. Natively the compiler sees through this and keeps in registers what fits.
#[derive(Clone, Copy)]
pub struct Constants(*const f32);

/// 2ᵗ: its bounds, what is added to round, and seven coefficients, the highest power's first.
const EXP2: usize = 0;
/// The normal tail's logarithm: nine coefficients.
const TAIL: usize = EXP2 + 10;
/// ln(1 + t)/t: nine coefficients.
const LN_1P: usize = TAIL + 9;
/// What [`activate`](super::activate) multiplies by.
const OTHERS: usize = LN_1P + 9;

/// 1.5·2²³: a number added to it is rounded to an integer, which stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// 2·√(2/π): the tanh form of GELU is x·σ(this·(x + 0.044715·x³)).
const TANH: f32 = 1.595_769;

#[rustfmt::skip]
static TABLE: [f32; OTHERS + 5] = [
    -126.0, 128.0, ROUND + 126.0,
    3.070_672_4e-4, 2.679_774_8e-3, 1.923_683_6e-2, 0.111_006_65, 0.480_452_95, 1.386_294_4, 2.0,
    -8.758_002e-7, 1.845_491_4e-5, -9.881_794e-5, -3.190_078e-4, 7.263_736e-3, -5.260_906_4e-2, -0.459_179_4, -1.151_107_5, -1.0,
    5.232_691e-3, -2.950_522_9e-2, 7.822_595e-2, -0.136_632_46, 0.191_060_08, -0.248_429_82, 0.333_190_98, -0.499_994_93, 0.999_999_94,
    1.0, -LOG2_E, -TANH * LOG2_E, -0.044_715 * TANH * LOG2_E, -1.702 * LOG2_E,
];

/// One of the constants of [`activate`](super::activate).
#[derive(Clone, Copy)]
pub enum Constant {
    /// 1
    One = OTHERS as isize,
    /// −log₂e
    MinusLog2E,
    /// −2·√(2/π)·log₂e
    Tanh,
    /// 0.044715 times that
    TanhCubed,
    /// −1.702·log₂e
    Quick,
}

impl Constants {
    /// Finds them.
    #[inline(always)]
    pub fn new() -> Self {
        let table = TABLE.as_ptr();
        Self(if cfg!(target_arch = "wasm32") { std::hint::black_box(table) } else { table })
    }

    /// One of them, in every lane.
    #[inline(always)]
    pub unsafe fn get<S: Simd>(self, constant: Constant) -> S::V {
        unsafe { self.at::<S>(constant as usize) }
    }

    #[inline(always)]
    unsafe fn at<S: Simd>(self, at: usize) -> S::V {
        unsafe { S::load_splat(self.0.add(at)) }
    }

    /// The polynomial whose `terms` coefficients begin at `first`, by Horner's rule.
    #[inline(always)]
    unsafe fn polynomial<S: Simd>(self, first: usize, terms: usize, x: S::V) -> S::V {
        unsafe {
            let mut p = self.at::<S>(first);
            for at in first + 1..first + terms {
                p = S::fma(p, x, self.at::<S>(at));
            }
            p
        }
    }

    /// 2ᵗ with an error of 1.5 units in the last place; 0 below −125.5 (where f32 has no normal numbers soon after),
    /// infinite from 128 on.
    #[inline(always)]
    pub unsafe fn exp2<S: Simd>(self, t: S::V) -> S::V {
        unsafe {
            let t = S::min(S::max(t, self.at::<S>(EXP2)), self.at::<S>(EXP2 + 1));
            // t = n + r with |r| ≤ ½. The sum's lowest bits are n + 126, which shifted is 2ⁿ⁻¹, or 0 when n is −126; the
            // polynomial is 2·2ʳ, so that 2¹²⁸ needs no exponent that f32 lacks.
            let round = self.at::<S>(EXP2 + 2);
            let shifted = S::add(t, round);
            let r = S::sub(t, S::sub(shifted, round));
            S::mul(self.polynomial::<S>(EXP2 + 3, 7, r), S::shl_i32::<23>(shifted))
        }
    }

    /// The standard normal distribution's part above a, for a ≥ 0, with an error of 2⁻²³.
    ///
    /// Its logarithm is close to a parabola, and so to a polynomial: one that is right where the tail is not yet nothing,
    /// and large beyond.
    #[inline(always)]
    pub unsafe fn normal_tail<S: Simd>(self, a: S::V) -> S::V {
        unsafe { self.exp2::<S>(self.polynomial::<S>(TAIL, 9, a)) }
    }

    /// ln(1 + t) for t in 0…1, with an error of 1.4·2⁻²³ of it.
    #[inline(always)]
    pub unsafe fn ln_1p<S: Simd>(self, t: S::V) -> S::V {
        unsafe { S::mul(t, self.polynomial::<S>(LN_1P, 9, t)) }
    }
}

impl Default for Constants {
    fn default() -> Self {
        Self::new()
    }
}
