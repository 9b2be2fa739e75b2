//! Each column with its own past: the short convolutions of recurrent layers.

use super::simd::{Kernel, Simd};

/// Some rows of a causal convolution; see [`Op::Convolve`](crate::graph::Op::Convolve).
pub struct Convolve<'a> {
    /// The rows of the call, `[rows, cols]`.
    pub x: &'a [f32],
    /// The taps − 1 rows before them.
    pub before: &'a [f32],
    /// `[taps, cols]`: turned over, so that neighbours are neighbours.
    pub weight: &'a [f32],
    pub cols: usize,
    /// The first row that is computed.
    pub first: usize,
    /// As many rows as are computed.
    pub y: &'a mut [f32],
}

impl Kernel for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, before, weight, cols, first, y } = self;
        let taps = weight.len() / cols;
        let whole = cols / 4 * 4;
        for (row, y) in (first..).zip(y.chunks_exact_mut(cols)) {
            // Row i of what came before and of x, joined: each row's taps begin at its own number.
            let source = |i: usize| match i.checked_sub(taps - 1) {
                Some(i) => &x[i * cols..][..cols],
                None => &before[i * cols..][..cols],
            };
            for tap in 0..taps {
                let (x, w) = (source(row + tap), &weight[tap * cols..][..cols]);
                for at in (0..whole).step_by(4) {
                    unsafe {
                        let sum = if tap == 0 { S::zero() } else { S::load(y.as_ptr().add(at)) };
                        let sum = S::fma(S::load(x.as_ptr().add(at)), S::load(w.as_ptr().add(at)), sum);
                        S::store(y.as_mut_ptr().add(at), sum);
                    }
                }
                for at in whole..cols {
                    y[at] = if tap == 0 { 0.0 } else { y[at] } + x[at] * w[at];
                }
            }
        }
    }
}

/// Makes `before` the last of the rows that it and x are together.
pub fn advance(before: &mut [f32], x: &[f32]) {
    let keep = before.len().saturating_sub(x.len());
    before.copy_within(before.len() - keep.., 0);
    let new = before.len() - keep;
    before[keep..].copy_from_slice(&x[x.len() - new..]);
}
