//! Products in f32: layers whose weights are not quantised, and the two of an attention.
//!
//! As in [`gemm`](super::gemm), eight rows of weights become a panel that tiles of four tokens pass by. Activations are
//! read where they lie.

use std::{marker::PhantomData, ops::Range};

use super::simd::{Kernel, Simd};

/// Rows in a panel.
pub const ROWS: usize = 8;
/// Tokens in a tile.
pub const TOKENS: usize = 4;

/// A tile's sums, `[4, 8]`: two vectors a token.
pub type Sums<S> = [[<S as Simd>::V; 2]; TOKENS];

/// Numbers as they lie in a file or a cache.
#[allow(clippy::missing_safety_doc, reason = "both read as many numbers as they say")]
pub trait Floats: 'static {
    type Number: Copy;
    /// Four numbers.
    unsafe fn four<S: Simd>(p: *const Self::Number) -> S::V;
    /// One number, in the first lane.
    unsafe fn one<S: Simd>(p: *const Self::Number) -> S::V;
}

/// 32 bits.
pub struct F32;
/// 16 bits.
pub struct F16;

impl Floats for F32 {
    type Number = f32;

    #[inline(always)]
    unsafe fn four<S: Simd>(p: *const f32) -> S::V {
        unsafe { S::load(p) }
    }
    #[inline(always)]
    unsafe fn one<S: Simd>(p: *const f32) -> S::V {
        unsafe { S::load_splat(p) }
    }
}

impl Floats for F16 {
    type Number = u16;

    #[inline(always)]
    unsafe fn four<S: Simd>(p: *const u16) -> S::V {
        unsafe { S::load_halves(p) }
    }
    #[inline(always)]
    unsafe fn one<S: Simd>(p: *const u16) -> S::V {
        unsafe { S::half_to_f32(S::splat_i32(p.read_unaligned().into())) }
    }
}

/// Turns up to eight rows into a panel, `[k, 8]`; rows that are missing become zeros.
pub struct Pack<'a, F: Floats> {
    /// The first number of the first row.
    pub rows: *const F::Number,
    pub count: usize,
    /// Numbers from row to row.
    pub stride: usize,
    /// Numbers in a row.
    pub k: usize,
    /// At least `8·k`.
    pub to: &'a mut [f32],
}

impl<F: Floats> Kernel for Pack<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { rows, count, stride, k, to } = self;
        let to = to[..k * ROWS].as_mut_ptr();
        let whole = k / 4 * 4;
        unsafe {
            // By fours of rows; a row that is missing is read as the last one, and then made zero.
            for first in [0, 4] {
                let (mut from, mut keep) = ([rows; 4], [S::zero(); 4]);
                for (i, (from, keep)) in from.iter_mut().zip(&mut keep).enumerate() {
                    *from = rows.add((first + i).min(count - 1) * stride);
                    *keep = S::splat_i32(if first + i < count { -1 } else { 0 });
                }
                let [a, b, c, d] = from;
                for at in (0..whole).step_by(4) {
                    let four = [
                        S::and(keep[0], F::four::<S>(a.add(at))),
                        S::and(keep[1], F::four::<S>(b.add(at))),
                        S::and(keep[2], F::four::<S>(c.add(at))),
                        S::and(keep[3], F::four::<S>(d.add(at))),
                    ];
                    for (i, column) in S::transpose(four).into_iter().enumerate() {
                        S::store(to.add((at + i) * ROWS + first), column);
                    }
                }
                for at in whole..k {
                    for i in 0..4 {
                        let number = S::and(keep[i], F::one::<S>(from[i].add(at)));
                        to.add(at * ROWS + first + i).write(S::first_f32(number));
                    }
                }
            }
        }
    }
}

/// What takes a tile's sums.
#[allow(clippy::missing_safety_doc, reason = "it is called with tiles there are")]
pub trait Out {
    /// Takes tile `at`, of which the last may have tokens that do not exist.
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &Sums<S>);
}

/// The products of a panel and some tiles of tokens, each given to `out`.
pub struct Multiply<'a, O> {
    /// `[k, 8]`
    pub panel: &'a [f32],
    /// `[tokens, k]`
    pub x: &'a [f32],
    pub k: usize,
    /// Which tiles.
    pub tiles: Range<usize>,
    pub out: O,
}

impl<O: Out> Kernel for Multiply<'_, O> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let k = self.k;
        let panel = self.panel[..k * ROWS].as_ptr();
        let tokens = self.x.len() / k;
        for at in self.tiles {
            let count = TOKENS.min(tokens - at * TOKENS);
            unsafe {
                let sums = tile::<S>(self.x.as_ptr().add(at * TOKENS * k), k, count, panel, k);
                self.out.take::<S>(at, &sums);
            }
        }
    }
}

/// The products of `count` ≤ 4 rows of k numbers, `stride` apart, and a panel. Where rows are missing the sums are the
/// last row's.
///
/// The loop is left to V8 to unroll. LLVM would bring the additions to one sum together, which needs the weights of several
/// steps at once, more than there are registers. And in WebAssembly it is a function of its own, because inside a
/// larger one V8 keeps other things in its registers.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub unsafe fn tile<S: Simd>(x: *const f32, stride: usize, count: usize, panel: *const f32, k: usize) -> Sums<S> {
    unsafe {
        let mut rows = [x; TOKENS];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = x.add(i.min(count - 1) * stride);
        }
        let mut w = panel;
        let mut sums = [[S::zero(); 2]; TOKENS];
        for _ in 0..k {
            let (low, high) = (S::load(w), S::load(w.add(4)));
            for (row, sums) in rows.iter_mut().zip(&mut sums) {
                let x = S::load_splat(*row);
                sums[0] = S::fma(x, low, sums[0]);
                sums[1] = S::fma(x, high, sums[1]);
                *row = row.add(1);
            }
            w = w.add(ROWS);
        }
        sums
    }
}

/// y[i] = row i of W · x, for as many rows as y is long: one token, weights read where they lie.
pub struct Gemv<'a, F: Floats> {
    /// The first number of the first row.
    pub rows: *const F::Number,
    /// `[k]`
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub floats: PhantomData<F>,
}

impl<F: Floats> Kernel for Gemv<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let k = self.x.len();
        let mut rows = self.rows;
        unsafe {
            let mut fours = self.y.chunks_exact_mut(4);
            for y in fours.by_ref() {
                S::store(y.as_mut_ptr(), dot4::<S, F>(rows, k, self.x));
                rows = rows.add(4 * k);
            }
            for y in fours.into_remainder() {
                // Four times the same row.
                *y = S::first_f32(dot4::<S, F>(rows, 0, self.x));
                rows = rows.add(k);
            }
        }
    }
}

/// The products of x and four rows, `stride` apart: lane i is row i's. Each is a sum of eight parts.
#[inline(always)]
pub unsafe fn dot4<S: Simd, F: Floats>(rows: *const F::Number, stride: usize, x: &[f32]) -> S::V {
    unsafe {
        let (mut low, mut high) = ([S::zero(); 4], [S::zero(); 4]);
        let eights = x.chunks_exact(8);
        let rest = eights.remainder();
        let mut at = 0;
        for x in eights {
            let x = [S::load(x.as_ptr()), S::load(x.as_ptr().add(4))];
            macro_rules! row {
                ($($i:literal)+) => {$(
                    let w = rows.add($i * stride + at);
                    low[$i] = S::fma(F::four::<S>(w), x[0], low[$i]);
                    high[$i] = S::fma(F::four::<S>(w.add(4)), x[1], high[$i]);
                )+};
            }
            row!(0 1 2 3);
            at += 8;
        }
        for i in 0..4 {
            low[i] = S::add(low[i], high[i]);
        }
        let mut sums = S::sums(low);
        for &x in rest {
            let mut w = [0f32; 4];
            for (i, w) in w.iter_mut().enumerate() {
                *w = S::first_f32(F::one::<S>(rows.add(i * stride + at)));
            }
            sums = S::fma(S::load(w.as_ptr()), S::splat(x), sums);
            at += 1;
        }
        sums
    }
}
