//! One query: a step of decoding.
//!
//! The heads that share a key head are served together. Keys, and later values, pass by in blocks small enough for the
//! first cache, turned to f32 once for all those heads.

use super::{
    super::{
        halves::from_halves,
        sgemm::{F32, dot4},
        simd::{Kernel, Simd},
    },
    Shape, Source, scale, softmax,
};

/// Keys in a block.
pub const BLOCK: usize = 16;

/// What the query's heads of one key head see.
pub struct One<'a> {
    pub shape: Shape,
    /// Which key head.
    pub head: usize,
    /// `[heads·dim]`
    pub q: &'a [f32],
    /// `[keys, kv_heads·dim]`
    pub k: Source<'a>,
    pub v: Source<'a>,
    pub scratch: &'a mut [f32],
    /// `[heads·dim]`
    pub y: *mut f32,
}

impl Kernel for One<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, head, q, k, v, scratch, y } = self;
        let (keys, dim, wide, shared) = (shape.keys, shape.dim, shape.wide(), shape.heads / shape.kv_heads);
        let (cols, padded) = (shape.kv_heads * dim, keys.next_multiple_of(BLOCK));
        let (queries, rest) = scratch.split_at_mut(shared * wide);
        let (sums, rest) = rest.split_at_mut(shared * wide);
        let (block, scores) = rest.split_at_mut(BLOCK * wide);
        let scores = scores.as_mut_ptr();
        // Channels that a head does not have are zeros throughout.
        queries.fill(0.0);
        sums.fill(0.0);
        block.fill(0.0);
        unsafe {
            for (i, query) in queries.chunks_exact_mut(wide).enumerate() {
                let q = q.as_ptr().add((head * shared + i) * dim);
                scale::<S>(q, query.as_mut_ptr(), dim, shape.factor());
            }
            for key in (0..keys).step_by(BLOCK) {
                read::<S>(k, key * cols + head * dim, cols, dim, &mut block[..BLOCK.min(keys - key) * wide]);
                for (i, query) in queries.chunks_exact(wide).enumerate() {
                    for at in (0..BLOCK).step_by(4) {
                        let four = dot4::<S, F32>(block.as_ptr().add(at * wide), wide, query);
                        S::store(scores.add(i * padded + key + at), four);
                    }
                }
            }
            for (i, query) in queries.chunks_exact_mut(wide).enumerate() {
                // The query has served; what its weights' sum is to be divided by takes its place.
                query[0] = softmax::<S>(scores.add(i * padded), keys, padded);
            }
            for key in (0..keys).step_by(BLOCK) {
                let count = BLOCK.min(keys - key);
                read::<S>(v, key * cols + head * dim, cols, dim, &mut block[..count * wide]);
                for (i, sums) in sums.chunks_exact_mut(wide).enumerate() {
                    add::<S>(sums, scores.add(i * padded + key), block.as_ptr(), count);
                }
            }
            for (i, sums) in sums.chunks_exact(wide).enumerate() {
                scale::<S>(sums.as_ptr(), y.add((head * shared + i) * dim), dim, queries[i * wide]);
            }
        }
    }
}

/// Rows of `dim` numbers, `cols` apart, from number `at` on, into the rows of `to`.
#[inline(always)]
unsafe fn read<S: Simd>(from: Source, at: usize, cols: usize, dim: usize, to: &mut [f32]) {
    let wide = dim.next_multiple_of(16);
    for (row, to) in to.chunks_exact_mut(wide).enumerate() {
        let (at, to) = (at + row * cols, to.as_mut_ptr());
        unsafe {
            match from {
                Source::F32(x) => to.copy_from_nonoverlapping(x[at..at + dim].as_ptr(), dim),
                Source::F16(x) => from_halves::<S>(x[at..at + dim].as_ptr(), to, dim),
            }
        }
    }
}

/// sums += Σ weight·row, over `count` rows as long as the sums.
#[inline(always)]
unsafe fn add<S: Simd>(sums: &mut [f32], weights: *const f32, rows: *const f32, count: usize) {
    let wide = sums.len();
    for at in (0..wide).step_by(16) {
        unsafe {
            let to = sums.as_mut_ptr().add(at);
            let mut four = [S::load(to), S::load(to.add(4)), S::load(to.add(8)), S::load(to.add(12))];
            for row in 0..count {
                let (weight, row) = (S::load_splat(weights.add(row)), rows.add(row * wide + at));
                four = [
                    S::fma(weight, S::load(row), four[0]),
                    S::fma(weight, S::load(row.add(4)), four[1]),
                    S::fma(weight, S::load(row.add(8)), four[2]),
                    S::fma(weight, S::load(row.add(12)), four[3]),
                ];
            }
            S::store(to, four[0]);
            S::store(to.add(4), four[1]);
            S::store(to.add(8), four[2]);
            S::store(to.add(12), four[3]);
        }
    }
}
