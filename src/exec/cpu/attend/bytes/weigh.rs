//! The softmax of a tile, into the codes that the product with the values takes.
//!
//! A group of 32 keys has a scale of its own, so its weights are powers of two below its own largest score, and what the
//! largest score of all is need not be known before the end: as in an online softmax (Milakov & Gimelshein, 2018), but that
//! nothing is ever corrected.

use super::super::super::{
    math::Constants,
    quantise::{self, GROUP, TOKENS},
    simd::{Dot, Simd},
};

/// The largest code.
const MOST: f32 = 127.0;
/// A lane each: 2ʳ for |r| ≤ ½ within 7.5·10⁻⁵ of it, a fiftieth of what rounding to codes is off by (a minimax fit by
/// Lawson's iteration, the highest power's coefficient first); 1.5·2²³, which added to a number rounds it to an integer that
/// stands in the lowest bits; and a power of two that is no weight any more.
static TABLE: [f32; 6] = [0.055_171_684, 0.242_611_21, 0.693_260_99, 0.999_928_07, 12_582_912.0, -20.0];
/// The score of what is not there: less than any, and finite.
const NOTHING: f32 = -1e30;

/// Room for the scales of a tile's groups, and as much again for their sums: groups by fours, so that threes fill vectors.
pub const fn scales_len(groups: usize) -> usize {
    TOKENS * groups.next_multiple_of(4)
}

/// Where the weights of a tile go, as in [`Tiles`](quantise::Tiles).
#[derive(Clone, Copy)]
pub struct Weights {
    /// Each group `[8, 3, 4]` bytes or `[16, 3, 2]` pairs: 0…127, without an offset.
    pub codes: *mut u8,
    /// Each group `[3]`.
    pub scales: *mut f32,
    /// Each group `[3]`.
    pub sums: *mut f32,
}

/// Makes weights of three tokens' scores, `[keys]` each and `stride` apart, in binary orders of magnitude; their sums. There
/// is room for whole groups of keys.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub unsafe fn weigh<S: Simd>(scores: *mut f32, stride: usize, keys: usize, to: Weights) -> [f32; TOKENS] {
    unsafe {
        let table = std::hint::black_box(TABLE.as_ptr());
        let [a, b, c, d, round, least] = [0, 1, 2, 3, 4, 5].map(|at| S::load_splat(table.add(at)));
        let groups = keys.div_ceil(GROUP);
        for token in 0..TOKENS {
            for at in keys..groups * GROUP {
                scores.add(token * stride + at).write(NOTHING);
            }
        }
        let ones = match S::DOT {
            Dot::Pairs => S::splat_i32(0x0001_0001),
            Dot::Signed | Dot::Unsigned => S::splat_i8(1),
        };
        // One token after the other, lest constants and results take more registers than there are.
        for token in 0..TOKENS {
            let mut scores = scores.add(token * stride);
            for group in 0..groups {
                let mut most = [S::load(scores), S::load(scores.add(4))];
                for at in (8..GROUP).step_by(8) {
                    most[0] = S::max(most[0], S::load(scores.add(at)));
                    most[1] = S::max(most[1], S::load(scores.add(at + 4)));
                }
                let most = S::largest(S::max(most[0], most[1]));
                to.scales.add(group * TOKENS + token).write(most);
                let offset = S::splat(LOG2_MOST - most);
                macro_rules! code {
                    ($at:expr) => {{
                        let t = S::max(S::add(S::load(scores.add($at)), offset), least);
                        let shifted = S::add(t, round);
                        let r = S::sub(t, S::sub(shifted, round));
                        let power = S::fma(S::fma(S::fma(a, r, b), r, c), r, d);
                        S::round_i32(S::add_i32(power, S::shl_i32::<23>(shifted)))
                    }};
                }
                let low = S::narrow([code!(0), code!(4), code!(8), code!(12)]);
                let high = S::narrow([code!(16), code!(20), code!(24), code!(28)]);
                S::store(scores, low);
                S::store(scores.add(4), high);
                scores = scores.add(GROUP);
            }
        }
        let mut place = to.codes;
        for group in 0..groups {
            let (mut low, mut high, mut sums) = ([S::zero(); 4], [S::zero(); 4], [S::zero(); 4]);
            for token in 0..TOKENS {
                let codes = scores.add(token * stride + group * GROUP);
                (low[token], high[token]) = (S::load(codes), S::load(codes.add(4)));
                for codes in [low[token], high[token]] {
                    sums[token] = match S::DOT {
                        Dot::Pairs => {
                            let first = S::dot(sums[token], ones, S::widen_low(codes));
                            S::dot(first, ones, S::widen_high(codes))
                        }
                        Dot::Signed | Dot::Unsigned => S::dot(sums[token], ones, codes),
                    };
                }
            }
            place = quantise::put::<S>(place, low, high);
            let [a, b, c, d] = S::transpose(sums);
            let sums = S::from_i32(S::add_i32(S::add_i32(a, b), S::add_i32(c, d)));
            S::store64(to.sums.add(group * TOKENS), sums);
            to.sums.add(group * TOKENS + 2).write(S::first_f32(S::lane::<2>(sums)));
        }
        scale::<S>(groups, to)
    }
}

/// log₂ of the largest code.
const LOG2_MOST: f32 = 6.988_684_7;

/// Makes scales of the groups' largest scores, and sums of the sums of their codes.
#[inline(always)]
unsafe fn scale<S: Simd>(groups: usize, to: Weights) -> [f32; TOKENS] {
    unsafe {
        let mut most = [f32::NEG_INFINITY; TOKENS];
        for at in 0..TOKENS * groups {
            most[at % TOKENS] = most[at % TOKENS].max(to.scales.add(at).read());
        }
        for at in TOKENS * groups..scales_len(groups) {
            to.scales.add(at).write(NOTHING);
            to.sums.add(at).write(0.0);
        }
        // Three tokens and four lanes come out even after three vectors.
        let pattern: [f32; 12] = std::array::from_fn(|at| most[at % TOKENS]);
        let mut totals = [0f32; 12];
        let exp2 = Constants::new();
        for first in (0..scales_len(groups)).step_by(12) {
            for at in (0..12).step_by(4) {
                let (scales, sums) = (to.scales.add(first + at), to.sums.add(first + at));
                let power = exp2.exp2::<S>(S::sub(S::load(scales), S::load(pattern.as_ptr().add(at))));
                let scale = S::mul(power, S::splat(1.0 / MOST));
                S::store(scales, scale);
                let total = totals.as_mut_ptr().add(at);
                S::store(total, S::fma(scale, S::load(sums), S::load(total)));
            }
        }
        std::array::from_fn(|token| (token..12).step_by(TOKENS).map(|at| totals[at]).sum())
    }
}
