//! Four queries at a time against packed keys and values.
//!
//! A head is packed as its keys, panels of eight, `[keys/8, dim, 8]`, and then its values, panels of eight channels,
//! `[dim/8, keys, 8]`; what is missing in either is zeros.

use super::{
    super::{
        sgemm::{self, F16, F32, Floats, Pack, ROWS, TOKENS},
        simd::{Kernel, Simd},
    },
    Shape, Source, four_of, scale, softmax,
};

/// Keys that a job packs: whole panels.
pub const CHUNK: usize = 8 * ROWS;

/// Packs the keys and values of one head from key `first` on.
pub struct PackHead<'a> {
    pub shape: Shape,
    pub head: usize,
    pub first: usize,
    /// `[keys, kv_heads·dim]`
    pub k: Source<'a>,
    pub v: Source<'a>,
    /// The packed head.
    pub to: *mut f32,
}

impl Kernel for PackHead<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, head, first, k, v, to } = self;
        let at = head * shape.dim;
        unsafe {
            match k {
                Source::F32(k) => keys::<S, F32>(shape, k[at..].as_ptr(), first, to),
                Source::F16(k) => keys::<S, F16>(shape, k[at..].as_ptr(), first, to),
            }
            let to = to.add(shape.padded() * shape.dim);
            match v {
                Source::F32(v) => values::<S, F32>(shape, v[at..].as_ptr(), first, to),
                Source::F16(v) => values::<S, F16>(shape, v[at..].as_ptr(), first, to),
            }
        }
    }
}

#[inline(always)]
unsafe fn keys<S: Simd, F: Floats>(shape: Shape, from: *const F::Number, first: usize, to: *mut f32) {
    let (keys, k, stride) = (shape.keys, shape.dim, shape.kv_heads * shape.dim);
    for key in (first..keys.min(first + CHUNK)).step_by(ROWS) {
        unsafe {
            let to = std::slice::from_raw_parts_mut(to.add(key * k), ROWS * k);
            let (rows, count) = (from.add(key * stride), ROWS.min(keys - key));
            Pack::<F> { rows, count, stride, k, to }.run::<S>();
        }
    }
}

#[inline(always)]
unsafe fn values<S: Simd, F: Floats>(shape: Shape, from: *const F::Number, first: usize, to: *mut f32) {
    let (dim, padded) = (shape.dim, shape.padded());
    for key in first..padded.min(first + CHUNK) {
        for channel in (0..dim.next_multiple_of(ROWS)).step_by(4) {
            let count = if key < shape.keys { dim.saturating_sub(channel) } else { 0 };
            unsafe {
                // Nothing is read that is not there, not even to be thrown away.
                let from = from.wrapping_add(key * shape.kv_heads * dim + channel);
                let four = four_of::<S, F>(from, count);
                S::store(to.add((channel / ROWS * padded + key) * ROWS + channel % ROWS), four);
            }
        }
    }
}

/// What up to four queries of one head see.
pub struct Tile<'a> {
    pub shape: Shape,
    pub head: usize,
    /// The first query.
    pub first: usize,
    /// `[rows, heads·dim]`
    pub q: &'a [f32],
    /// The packed head.
    pub packed: &'a [f32],
    pub scratch: &'a mut [f32],
    /// `[rows, heads·dim]`
    pub y: *mut f32,
}

impl Kernel for Tile<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, head, first, q, packed, scratch, y } = self;
        let (dim, cols, stride) = (shape.dim, shape.heads * shape.dim, shape.score_stride());
        let count = TOKENS.min(shape.rows - first);
        let (queries, scores) = scratch.split_at_mut(TOKENS * dim);
        let (queries, scores) = (queries.as_mut_ptr(), scores.as_mut_ptr());
        let (keys, values) = packed.split_at(shape.padded() * dim);
        let y = unsafe { y.add(first * cols + head * dim) };
        // What the last of them sees, in whole panels.
        let padded = shape.seen(first + count - 1).next_multiple_of(ROWS);
        unsafe {
            for i in 0..count {
                let q = q.as_ptr().add((first + i) * cols + head * dim);
                scale::<S>(q, queries.add(i * dim), dim, shape.factor());
            }
            for key in (0..padded).step_by(ROWS) {
                let sums = sgemm::tile::<S>(queries, dim, count, keys.as_ptr().add(key * dim), dim);
                for (i, [low, high]) in sums.into_iter().enumerate() {
                    S::store(scores.add(i * stride + key), low);
                    S::store(scores.add(i * stride + key + 4), high);
                }
            }
            let mut inverse = [0f32; TOKENS];
            for (i, inverse) in inverse.iter_mut().enumerate().take(count) {
                *inverse = softmax::<S>(scores.add(i * stride), shape.seen(first + i), padded);
            }
            for channel in (0..dim).step_by(ROWS) {
                let panel = values.as_ptr().add(channel * shape.padded());
                let sums = sgemm::tile::<S>(scores, stride, count, panel, padded);
                for (i, [low, high]) in sums.into_iter().enumerate().take(count) {
                    let by = S::splat(inverse[i]);
                    let (low, high, to) = (S::mul(low, by), S::mul(high, by), y.add(i * cols + channel));
                    if dim - channel >= ROWS {
                        S::store(to, low);
                        S::store(to.add(4), high);
                    } else {
                        let last = [low, high];
                        to.copy_from_nonoverlapping(last.as_ptr().cast(), dim - channel);
                    }
                }
            }
        }
    }
}
