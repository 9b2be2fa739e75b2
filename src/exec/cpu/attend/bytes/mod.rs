//! Three queries at a time against keys and values of eight bits, where the layers around are quantised too.
//!
//! Both products are the [`gemm`] of quantised layers: keys are its rows of weights, `[keys, dim]`, and channels of the
//! values, `[dim, keys]`; queries and weights of the softmax are its tokens. Each 32 neighbours share a scale, so a weight
//! that is small beside another is lost only where the other is one of its 31 neighbours. As in SageAttention (Zhang et
//! al., 2024) all keys have a vector taken off first that is about their mean, so that channels in which all keys are alike
//! cost the others no precision; the softmax does not see it. Weights are divided by the sum of what they were rounded to.

mod pack;
mod weigh;

pub use pack::PackHead;
use weigh::{Weights, scales_len, weigh};

use super::{
    super::{
        blocks::Q8_0,
        gemm::{self, ROWS, TileAt, Unpacked},
        quantise::{GROUP, QuantiseTile, TOKENS},
        simd::{Dot, Kernel, Simd},
    },
    Shape, scale,
};

/// Keys that a job packs: whole panels of keys, and whole groups of values.
pub const CHUNK: usize = 8 * ROWS;
/// The most channels a head may have.
pub const WIDEST: usize = 256;

/// How a packed head lies in memory, in numbers of 32 bits: the panels of keys and then those of values; of each first all
/// codes, then all scales, then what sums begin with.
#[derive(Clone, Copy)]
struct Head {
    keys: Part,
    values: Part,
}

#[derive(Clone, Copy)]
struct Part {
    panels: usize,
    groups: usize,
    /// Numbers that the codes of a group of a panel take.
    codes: usize,
}

impl Part {
    fn new(rows: usize, k: usize, dot: Dot) -> Self {
        Self { panels: rows.div_ceil(ROWS), groups: k.div_ceil(GROUP), codes: ROWS * GROUP * dot.bytes() / 4 }
    }

    fn scales(&self) -> usize {
        self.panels * self.groups * self.codes
    }

    fn start(&self) -> usize {
        self.scales() + self.panels * self.groups * ROWS
    }

    fn len(&self) -> usize {
        self.start() + self.panels * self.groups * ROWS
    }

    /// Where a group of a panel lies: codes, scales, what sums begin with.
    unsafe fn group(&self, base: *mut f32, panel: usize, group: usize) -> (*mut u8, *mut f32, *mut i32) {
        let at = panel * self.groups + group;
        unsafe {
            (
                base.add(at * self.codes).cast(),
                base.add(self.scales() + at * ROWS),
                base.add(self.start() + at * ROWS).cast(),
            )
        }
    }

    unsafe fn unpacked(&self, base: *const f32) -> Unpacked {
        unsafe {
            let scales = base.add(self.scales());
            Unpacked {
                codes: base.cast(),
                scales,
                minima: scales,
                start: base.add(self.start()).cast(),
                count: self.panels,
            }
        }
    }
}

impl Head {
    fn new(shape: &Shape, dot: Dot) -> Self {
        Self { keys: Part::new(shape.keys, shape.dim, dot), values: Part::new(shape.dim, shape.keys, dot) }
    }
}

/// Numbers that a packed head takes.
pub fn packed(shape: &Shape, dot: Dot) -> usize {
    let head = Head::new(shape, dot);
    head.keys.len() + head.values.len()
}

/// Numbers that a thread needs to write on.
pub fn scratch(shape: &Shape, dot: Dot) -> usize {
    let Head { keys, values } = Head::new(shape, dot);
    tile_len(keys.groups, dot) + tile_len(values.groups, dot) + TOKENS * (shape.wide_scores() + values.panels * ROWS)
}

/// Numbers that a quantised tile takes.
fn tile_len(groups: usize, dot: Dot) -> usize {
    codes_len(groups, dot) + 2 * scales_len(groups)
}

fn codes_len(groups: usize, dot: Dot) -> usize {
    TOKENS * groups * GROUP * dot.bytes() / 4
}

/// What up to three queries of one head see.
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
        let (dim, cols, stride) = (shape.dim, shape.heads * shape.dim, shape.wide_scores());
        let count = TOKENS.min(shape.rows - first);
        let Head { keys, values } = Head::new(&shape, S::DOT);
        let wide = values.panels * ROWS;
        let (scores, scratch) = scratch.split_at_mut(TOKENS * stride);
        let (sums, scratch) = scratch.split_at_mut(TOKENS * wide);
        let (queries, weights) = scratch.split_at_mut(tile_len(keys.groups, S::DOT));
        let y = unsafe { y.add(first * cols + head * dim) };
        unsafe {
            let channels = keys.groups * GROUP;
            let q_scaled = &mut scores[..count * channels];
            q_scaled.fill(0.0);
            for i in 0..count {
                let q = q.as_ptr().add((first + i) * cols + head * dim);
                scale::<S>(q, q_scaled.as_mut_ptr().add(i * channels), dim, shape.factor());
            }
            let (queries, Weights { codes, scales, sums: to }) = place::<S>(keys.groups, queries);
            QuantiseTile { x: q_scaled, k: channels, stride: channels, codes, scales, sums: to }.run::<S>();
            for scores in scores.chunks_exact_mut(stride) {
                scores[..keys.panels * ROWS].fill(0.0);
            }
            let of = keys.unpacked(packed.as_ptr());
            gemm::multiply::<Q8_0, S, true>(keys.groups, of, queries, scores.as_mut_ptr(), stride);

            let (x, to) = place::<S>(values.groups, weights);
            let totals = weigh::<S>(scores.as_mut_ptr(), stride, shape.keys, to);
            sums.fill(0.0);
            let of = values.unpacked(packed.as_ptr().add(keys.len()));
            gemm::multiply::<Q8_0, S, false>(values.groups, of, x, sums.as_mut_ptr(), wide);
            for (i, sums) in sums.chunks_exact(wide).enumerate().take(count) {
                scale::<S>(sums.as_ptr(), y.add(i * cols), dim, 1.0 / totals[i]);
            }
        }
    }
}

/// Where a quantised tile lies: to be read, and to be written.
#[inline(always)]
unsafe fn place<S: Simd>(groups: usize, tile: &mut [f32]) -> (TileAt, Weights) {
    let (codes, rest) = tile[..tile_len(groups, S::DOT)].split_at_mut(codes_len(groups, S::DOT));
    let (scales, sums) = rest.split_at_mut(scales_len(groups));
    let (codes, scales, sums) = (codes.as_mut_ptr().cast::<u8>(), scales.as_mut_ptr(), sums.as_mut_ptr());
    (TileAt { codes, scales, sums }, Weights { codes, scales, sums })
}
