//! One token times a quantised matrix: the whole of decoding. Weights are read where the file put them.

use super::{
    blocks::Blocks,
    quantise::Row,
    simd::{Kernel, Simd},
};

/// y[i] = row first + i of W · x, for as many rows as y is long.
pub struct Gemv<'a, B> {
    /// The first row's first block.
    pub rows: *const u8,
    /// Numbers in a row.
    pub k: usize,
    pub x: &'a Row,
    pub y: &'a mut [f32],
    pub blocks: std::marker::PhantomData<B>,
}

impl<B: Blocks> Kernel for Gemv<'_, B> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let blocks = self.k / B::LEN;
        let stride = blocks * B::BYTES;
        let whole = self.y.len() / 4 * 4;
        let (fours, rest) = self.y.split_at_mut(whole);
        let mut rows = self.rows;
        unsafe {
            for y in fours.chunks_exact_mut(4) {
                S::store(y.as_mut_ptr(), B::dot4::<S>(rows, stride, self.x, blocks));
                rows = rows.add(4 * stride);
            }
            for y in rest {
                // Four times the same row: no stride between them.
                *y = S::first_f32(B::dot4::<S>(rows, 0, self.x, blocks));
                rows = rows.add(stride);
            }
        }
    }
}
