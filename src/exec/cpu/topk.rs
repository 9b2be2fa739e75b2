//! The largest elements of a row.

use super::simd::{Kernel, Simd};

/// The columns of the k largest of each row (k of them at most the columns), largest first, the lower column first among
/// equals; numbers are ordered as by [`f32::total_cmp`], and none may be NaN.
pub struct TopK<'a> {
    /// `[rows, cols]`
    pub x: &'a [f32],
    pub cols: usize,
    /// `[rows, k]`
    pub y: &'a mut [f32],
    pub k: usize,
}

/// Columns that are passed over together when none is among the largest so far.
const BLOCK: usize = 32;

impl Kernel for TopK<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for (x, y) in self.x.chunks_exact(self.cols).zip(self.y.chunks_exact_mut(self.k)) {
            let (mut found, mut at) = (0, 0);
            while at < x.len() {
                let block = &x[at..x.len().min(at + BLOCK)];
                // Not `>`: a zero may still come before a negative zero.
                let last = if found == y.len() { x[y[found - 1] as usize] } else { f32::NEG_INFINITY };
                if unsafe { largest::<S>(block) } >= last {
                    for column in at..at + block.len() {
                        found = insert(x, y, found, column);
                    }
                }
                at += BLOCK;
            }
        }
    }
}

#[inline(always)]
unsafe fn largest<S: Simd>(x: &[f32]) -> f32 {
    unsafe {
        let fours = x.chunks_exact(4);
        let rest = fours.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut most = S::splat(f32::NEG_INFINITY);
        for four in fours {
            most = S::max(most, S::load(four.as_ptr()));
        }
        S::largest(most).max(rest)
    }
}

/// Puts a column in its place among the `found` best, unless that is beyond the last; how many there are then.
#[inline(always)]
fn insert(x: &[f32], best: &mut [f32], found: usize, column: usize) -> usize {
    let is_after = |other: f32| x[other as usize].total_cmp(&x[column]).is_lt();
    if found == best.len() && !is_after(best[found - 1]) {
        return found;
    }
    let mut at = found.min(best.len() - 1);
    while at > 0 && is_after(best[at - 1]) {
        best[at] = best[at - 1];
        at -= 1;
    }
    best[at] = column as f32;
    (found + 1).min(best.len())
}
