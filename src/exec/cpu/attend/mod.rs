//! softmax(scale·q·kᵀ)·v, head by head, without ever holding all scores.
//!
//! Many queries: keys and values are packed once into panels, as a matrix product's weights are, a few heads at a time, and
//! four queries after the other see all their keys ([`many`]); in networks of quantised layers as bytes ([`bytes`]). One query:
//! keys and values are read once, where they lie ([`one`]).
//!
//! The scores are in binary orders of magnitude (`scale·log₂e` is multiplied into the queries), so that 2ᵗ makes weights of
//! them. What a query may not see is never computed, but for the rest of a panel.
//!
//! Windows of a few rows are too small to pack ([`windows`]).

pub mod bytes;
mod many;
mod one;
pub mod windows;

use std::ops::Range;

use super::{
    isa::Isa,
    math::Constants,
    quantise,
    sgemm::{Floats, ROWS, TOKENS},
    simd::{Dot, Simd},
};
use crate::graph::Mask;

/// Numbers that packed heads may take together, one of them at least: more than a thread's caches, less than all heads.
const PACKED: usize = 512 << 10;

/// Keys or values, `[keys, kv_heads·dim]`, as they lie in the arena or in a cache.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
}

/// The sizes of a call. Every query sees a key.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Queries.
    pub rows: usize,
    pub keys: usize,
    pub heads: usize,
    /// Heads of the keys and values, each of which serves `heads / kv_heads` neighbours.
    pub kv_heads: usize,
    /// Channels of a head.
    pub dim: usize,
    pub scale: f32,
    pub mask: Mask,
    /// By which dot product queries may be multiplied as [`bytes`], if they may.
    pub bytes: Option<Dot>,
}

/// One call: for each group of heads first [`packs`](Self::packs) jobs that pack, then [`jobs`](Self::jobs) that attend;
/// those of each kind may run at the same time.
pub struct Attention<'a> {
    pub shape: Shape,
    /// `[rows, heads·dim]`
    pub q: &'a [f32],
    pub k: Source<'a>,
    pub v: Source<'a>,
}

impl Shape {
    /// Heads of keys and values that are packed at a time: as many as have room, for packed they take as much as unpacked.
    pub fn group(&self) -> usize {
        if self.rows == 1 { self.kv_heads } else { (PACKED / self.packed_head()).clamp(1, self.kv_heads) }
    }

    /// Numbers that the packed keys and values of a [group](Self::group) take.
    pub fn packed(&self) -> usize {
        if self.rows == 1 { 0 } else { self.group() * self.packed_head() }
    }

    /// Numbers that a thread needs to write on.
    pub fn scratch(&self) -> usize {
        let shared = self.shared();
        match self.rows {
            1 => self.wide() * (2 * shared + one::BLOCK) + shared * self.keys.next_multiple_of(one::BLOCK),
            _ => match self.in_bytes() {
                Some(dot) => bytes::scratch(self, dot),
                None => TOKENS * (self.dim + self.score_stride()),
            },
        }
    }

    /// By which dot product many queries are multiplied as bytes, if they are. Only where all see all: what a decoder makes
    /// of a prompt must not depend on how it was cut, and codes depend on all keys of a call.
    pub fn in_bytes(&self) -> Option<Dot> {
        self.bytes.filter(|_| self.rows > 1 && self.dim <= bytes::WIDEST && self.mask == Mask::Full)
    }

    /// Queries that a job attends for.
    fn tile(&self) -> usize {
        if self.in_bytes().is_some() { quantise::TOKENS } else { TOKENS }
    }

    /// The heads that share a head of keys and values.
    fn shared(&self) -> usize {
        self.heads / self.kv_heads
    }

    fn packed_head(&self) -> usize {
        if let Some(dot) = self.in_bytes() {
            return bytes::packed(self, dot);
        }
        self.padded() * (self.dim + self.dim.next_multiple_of(ROWS))
    }

    /// The keys of whole panels.
    fn padded(&self) -> usize {
        self.keys.next_multiple_of(ROWS)
    }

    /// From one query's scores to the next's: a line more than they take, lest rows of a power of two share a set of
    /// the cache.
    fn score_stride(&self) -> usize {
        self.padded() + 16
    }

    /// As above, in whole panels and whole groups of keys.
    fn wide_scores(&self) -> usize {
        (self.keys.next_multiple_of(bytes::CHUNK) + 16).max(self.dim.next_multiple_of(quantise::GROUP))
    }

    /// The channels of a head in whole steps of four vectors.
    fn wide(&self) -> usize {
        self.dim.next_multiple_of(16)
    }

    /// How many keys query `row` sees.
    fn seen(&self, row: usize) -> usize {
        match self.mask {
            Mask::Full | Mask::Windows(_) => self.keys,
            Mask::Causal => self.keys - self.rows + row + 1,
        }
    }

    /// What makes binary orders of magnitude of products.
    fn factor(&self) -> f32 {
        self.scale * std::f32::consts::LOG2_E
    }
}

impl Attention<'_> {
    /// The heads of keys and values, group by group.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        let (heads, group) = (self.shape.kv_heads, self.shape.group());
        (0..heads).step_by(group).map(move |first| first..heads.min(first + group))
    }

    /// How many jobs pack a group.
    pub fn packs(&self, group: &Range<usize>) -> usize {
        if self.shape.rows == 1 { 0 } else { group.len() * self.chunks() }
    }

    fn chunks(&self) -> usize {
        self.shape.keys.div_ceil(if self.shape.in_bytes().is_some() { bytes::CHUNK } else { many::CHUNK })
    }

    /// Packs a part of the keys and values of a head of a group.
    ///
    /// # Safety
    /// `packed` is [`Shape::packed`] numbers, of which each job writes its own.
    pub unsafe fn pack(&self, isa: Isa, group: &Range<usize>, job: usize, packed: *mut f32) {
        let (shape, at, chunk) = (self.shape, job / self.chunks(), job % self.chunks());
        let (to, head) = (unsafe { packed.add(at * shape.packed_head()) }, group.start + at);
        match shape.in_bytes() {
            Some(_) => isa.run(bytes::PackHead { shape, head, first: chunk * bytes::CHUNK, k: self.k, v: self.v, to }),
            None => isa.run(many::PackHead { shape, head, first: chunk * many::CHUNK, k: self.k, v: self.v, to }),
        }
    }

    /// How many jobs attend with the keys and values of a group.
    pub fn jobs(&self, group: &Range<usize>) -> usize {
        match self.shape.rows {
            1 => group.len(),
            rows => group.len() * self.shape.shared() * rows.div_ceil(self.shape.tile()),
        }
    }

    /// Attends for some queries of some heads.
    ///
    /// # Safety
    /// `packed` is what the packing jobs of the group have written; `y`, `[rows, heads·dim]`, is written by each job where
    /// it must be.
    pub unsafe fn attend(
        &self,
        isa: Isa,
        group: &Range<usize>,
        job: usize,
        packed: &[f32],
        scratch: &mut [f32],
        y: *mut f32,
    ) {
        let (shape, q) = (self.shape, self.q);
        let scratch = &mut scratch[..shape.scratch()];
        if shape.rows == 1 {
            return isa.run(one::One { shape, head: group.start + job, q, k: self.k, v: self.v, scratch, y });
        }
        let tiles = shape.rows.div_ceil(shape.tile());
        // The last queries see the most: they go first, so that no thread ends long after the others.
        let (at, tile) = (job / tiles, tiles - 1 - job % tiles);
        let packed = &packed[at / shape.shared() * shape.packed_head()..][..shape.packed_head()];
        let head = group.start * shape.shared() + at;
        let first = tile * shape.tile();
        match shape.in_bytes() {
            Some(_) => isa.run(bytes::Tile { shape, head, first, q, packed, scratch, y }),
            None => isa.run(many::Tile { shape, head, first, q, packed, scratch, y }),
        }
    }
}

/// Turns scores `[padded]` (a multiple of eight), of which only the first `seen` count, into weights; one over their sum.
#[inline(always)]
unsafe fn softmax<S: Simd>(scores: *mut f32, seen: usize, padded: usize) -> f32 {
    unsafe {
        for at in seen..padded {
            scores.add(at).write(f32::NEG_INFINITY);
        }
        let mut most = [S::splat(f32::NEG_INFINITY); 2];
        for at in (0..padded).step_by(8) {
            most[0] = S::max(most[0], S::load(scores.add(at)));
            most[1] = S::max(most[1], S::load(scores.add(at + 4)));
        }
        let most = S::splat(S::largest(S::max(most[0], most[1])));
        let (c, mut sums) = (Constants::new(), [S::zero(); 2]);
        for at in (0..padded).step_by(8) {
            let low = c.exp2::<S>(S::sub(S::load(scores.add(at)), most));
            let high = c.exp2::<S>(S::sub(S::load(scores.add(at + 4)), most));
            S::store(scores.add(at), low);
            S::store(scores.add(at + 4), high);
            sums = [S::add(sums[0], low), S::add(sums[1], high)];
        }
        1.0 / S::sum(S::add(sums[0], sums[1]))
    }
}

/// `to[..dim] = from·factor`, by fours; what is left one by one.
#[inline(always)]
unsafe fn scale<S: Simd>(from: *const f32, to: *mut f32, dim: usize, factor: f32) {
    unsafe {
        let whole = dim / 4 * 4;
        for at in (0..whole).step_by(4) {
            S::store(to.add(at), S::mul(S::load(from.add(at)), S::splat(factor)));
        }
        for at in whole..dim {
            to.add(at).write(from.add(at).read() * factor);
        }
    }
}

/// The first four of `count` numbers, zeros where there are fewer.
#[inline(always)]
unsafe fn four_of<S: Simd, F: Floats>(from: *const F::Number, count: usize) -> S::V {
    if count >= 4 {
        return unsafe { F::four::<S>(from) };
    }
    let mut numbers = [0f32; 4];
    for (at, number) in numbers.iter_mut().enumerate().take(count) {
        *number = unsafe { S::first_f32(F::one::<S>(from.add(at))) };
    }
    unsafe { S::load(numbers.as_ptr()) }
}
