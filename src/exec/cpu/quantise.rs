//! Activations as 8-bit integers: 32 neighbours share a scale, as in GGML's Q8_0, so that nothing is lost that a
//! published file's own runtime would keep.
//!
//! A matrix–vector product reads them in order ([`Row`]); a matrix product reads three tokens at once, interleaved by
//! the four (or, as pairs, two) numbers that one lane of a dot product takes ([`Tiles`]).

use super::simd::{Dot, Kernel, Simd};

/// Numbers that share a scale.
pub const GROUP: usize = 32;
/// Tokens in a tile.
pub const TOKENS: usize = 3;

/// One token: `[k]` numbers, k a multiple of [`GROUP`].
#[derive(Default)]
pub struct Row {
    /// `[k]` of [`Dot::bytes`] each, signed.
    pub codes: Vec<u8>,
    /// `[k/32]`.
    pub scales: Vec<f32>,
    /// `[k/16]`: minus the sum of each sixteen codes.
    pub minus_sums: Vec<i32>,
    /// `[k/32]`: minus the sum of each group's numbers (scale times codes), for formats that take a minimum off each
    /// weight.
    pub minus_totals: Vec<f32>,
}

/// Tokens by threes: `[⌈m/3⌉, k/32]` groups.
#[derive(Default)]
pub struct Tiles {
    /// Each group `[8, 3, 4]` bytes or `[16, 3, 2]` pairs: what one lane takes, of three tokens. Bytes are 128 more than
    /// the number where the dot product reads them without a sign.
    pub codes: Vec<u8>,
    /// Each group `[3]`.
    pub scales: Vec<f32>,
    /// Each group `[3]`: the sum of its numbers (scale times codes), for formats that take a minimum off each weight.
    pub sums: Vec<f32>,
}

impl Row {
    /// Makes room for k numbers; more is never given back.
    pub fn reserve(&mut self, k: usize, dot: Dot) {
        grow(&mut self.codes, k * dot.bytes());
        grow(&mut self.scales, k / GROUP);
        grow(&mut self.minus_sums, k / 16);
        grow(&mut self.minus_totals, k / GROUP);
    }
}

impl Tiles {
    /// Makes room for m tokens of k numbers; more is never given back.
    pub fn reserve(&mut self, m: usize, k: usize, dot: Dot) {
        let tokens = m.next_multiple_of(TOKENS);
        grow(&mut self.codes, tokens * k * dot.bytes());
        grow(&mut self.scales, tokens * k / GROUP);
        grow(&mut self.sums, tokens * k / GROUP);
    }
}

fn grow<T: Clone + Default>(v: &mut Vec<T>, len: usize) {
    if v.len() < len {
        v.resize(len, T::default());
    }
}

/// Quantises one token into a [`Row`] with room for it.
pub struct QuantiseRow<'a> {
    pub x: &'a [f32],
    pub to: &'a mut Row,
}

impl Kernel for QuantiseRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, to } = self;
        for (at, group) in x.chunks_exact(GROUP).enumerate() {
            unsafe {
                let (scale, codes) = quantise::<S>(group.as_ptr());
                to.scales[at] = scale;
                let mut sum = 0;
                for (half, code) in codes.into_iter().enumerate() {
                    let minus = -S::sum_i32(total::<S>(code));
                    to.minus_sums[2 * at + half] = minus;
                    sum += minus;
                    let place = to.codes.as_mut_ptr().add((at * GROUP + 16 * half) * S::DOT.bytes());
                    match S::DOT {
                        Dot::Pairs => {
                            S::store(place, S::widen_low(code));
                            S::store(place.add(16), S::widen_high(code));
                        }
                        Dot::Signed | Dot::Unsigned => S::store(place, code),
                    }
                }
                to.minus_totals[at] = scale * sum as f32;
            }
        }
    }
}

/// Quantises one tile: up to three tokens, `stride` apart, into their place in [`Tiles`].
pub struct QuantiseTile<'a> {
    /// `[≤ 3, stride]`, of the last one only what counts.
    pub x: &'a [f32],
    /// Numbers of a token that count, from the first on.
    pub k: usize,
    pub stride: usize,
    /// `[k/32, 96 · bytes]`
    pub codes: *mut u8,
    /// `[k/32, 3]`
    pub scales: *mut f32,
    /// `[k/32, 3]`
    pub sums: *mut f32,
}

impl Kernel for QuantiseTile<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, k, stride, codes, scales, sums } = self;
        let tokens = x.len().div_ceil(stride);
        for at in 0..k / GROUP {
            unsafe {
                let (mut low, mut high) = ([S::zero(); 4], [S::zero(); 4]);
                for token in 0..TOKENS {
                    let (mut scale, mut sum) = (0.0, 0.0);
                    if token < tokens {
                        let p = x.as_ptr().add(token * stride + at * GROUP);
                        (scale, [low[token], high[token]]) = quantise::<S>(p);
                        let codes = S::add_i32(total::<S>(low[token]), total::<S>(high[token]));
                        sum = scale * S::sum_i32(codes) as f32;
                    }
                    scales.add(at * TOKENS + token).write(scale);
                    sums.add(at * TOKENS + token).write(sum);
                }
                if S::DOT == Dot::Unsigned {
                    for v in low.iter_mut().chain(&mut high) {
                        *v = S::xor(*v, S::splat_i8(-128));
                    }
                }
                put::<S>(codes.add(at * GROUP * TOKENS * S::DOT.bytes()), low, high);
            }
        }
    }
}

/// Writes a group of three tokens (and a fourth that is left out), each one's first sixteen codes and its last, as
/// [`Tiles`] hold it; where the next is to be written.
#[inline(always)]
pub unsafe fn put<S: Simd>(mut place: *mut u8, low: [S::V; 4], high: [S::V; 4]) -> *mut u8 {
    for half in [low, high] {
        unsafe {
            if S::DOT == Dot::Pairs {
                let [a, b, c, d] = half;
                let wide = [S::widen_low(a), S::widen_low(b), S::widen_low(c), S::widen_low(d)];
                place = store::<S>(place, S::transpose(wide));
                let wide = [S::widen_high(a), S::widen_high(b), S::widen_high(c), S::widen_high(d)];
                place = store::<S>(place, S::transpose(wide));
            } else {
                place = store::<S>(place, S::transpose(half));
            }
        }
    }
    place
}

/// The sixteen bytes' sum, in parts.
#[inline(always)]
unsafe fn total<S: Simd>(codes: S::V) -> S::V {
    unsafe {
        let (low, high) = (S::widen_low(codes), S::widen_high(codes));
        let low = S::add_i32(S::widen_i16_low(low), S::widen_i16_high(low));
        S::add_i32(low, S::add_i32(S::widen_i16_low(high), S::widen_i16_high(high)))
    }
}

#[inline(always)]
unsafe fn store<S: Simd>(mut place: *mut u8, lanes: [S::V; 4]) -> *mut u8 {
    for v in lanes {
        // Three tokens of the four: what lies behind may be another thread's.
        unsafe {
            S::store64(place, v);
            place.add(8).cast::<i32>().write_unaligned(S::first_i32(S::lane::<2>(v)));
            place = place.add(4 * TOKENS);
        }
    }
    place
}

/// 32 numbers as codes −127…127 and their scale.
#[inline(always)]
pub unsafe fn quantise<S: Simd>(p: *const f32) -> (f32, [S::V; 2]) {
    unsafe {
        let mut x = [S::zero(); 8];
        let mut most = S::zero();
        for (i, x) in x.iter_mut().enumerate() {
            *x = S::load(p.add(4 * i));
            most = S::max(most, S::abs(*x));
        }
        let most = S::largest(most);
        // Below this the inverse would overflow; such numbers are nothing beside any others.
        let inverse = S::splat(if most < 1e-30 { 0.0 } else { 127.0 / most });
        for x in &mut x {
            *x = S::round_i32(S::mul(*x, inverse));
        }
        let [a, b, c, d, e, f, g, h] = x;
        (most / 127.0, [S::narrow([a, b, c, d]), S::narrow([e, f, g, h])])
    }
}
