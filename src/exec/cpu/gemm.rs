//! Many tokens times a quantised matrix, after Goto & van de Geijn (2008), with integers.
//!
//! Some rows of weights are unpacked into a panel that stays in the first cache while tile after tile of tokens passes
//! by: tokens × rows sums are in registers at once. V8 has fifteen vector registers and keeps one or two of them for
//! itself, so there is no room for a larger tile than this one's nine sums, three weights and an activation. The panel is
//! the only copy of weights that is ever made.

use std::{marker::PhantomData, ops::Range};

pub use super::quantise::TOKENS;
use super::{
    blocks::Blocks,
    quantise::{GROUP, Tiles},
    simd::{Dot, Kernel, Simd},
};

/// Vectors of rows in a panel.
const VECTORS: usize = 3;
/// Rows in a panel.
pub const ROWS: usize = 4 * VECTORS;
/// Numbers of a row that are unpacked at a time, a whole number of any format's blocks: a longer panel would push the
/// tiles out of the first cache.
pub const DEPTH: usize = 1024;
/// Sums of a tile, `[TOKENS, ROWS]`.
pub const SUMS: usize = TOKENS * ROWS;

/// A tile's sums.
pub type Sums<S> = [[<S as Simd>::V; VECTORS]; TOKENS];

/// A part of some rows of weights, unpacked: groups of 32 neighbours.
#[derive(Default)]
pub struct Panel {
    /// Each group `[8, ROWS, 4]` bytes or `[16, ROWS, 2]` pairs: what one lane takes, of all rows.
    codes: Vec<u8>,
    /// `[the format's groups, ROWS]`.
    scales: Vec<f32>,
    /// `[the format's groups, ROWS]`, when the format has minima.
    minima: Vec<f32>,
    /// −128·(sum of codes), `[the format's groups, ROWS]`, where activations are stored 128 too high.
    start: Vec<i32>,
}

impl Panel {
    /// Makes room.
    pub fn reserve(&mut self) {
        // 16-bit codes and groups of sixteen are the most there can be.
        self.codes.resize(ROWS * DEPTH * 2, 0);
        self.scales.resize(ROWS * DEPTH / 16, 0.0);
        self.minima.resize(ROWS * DEPTH / 16, 0.0);
        self.start.resize(ROWS * DEPTH / 16, 0);
    }

    fn unpacked(&self) -> Unpacked {
        let Self { codes, scales, minima, start } = self;
        let (codes, scales, minima, start) = (codes.as_ptr(), scales.as_ptr(), minima.as_ptr(), start.as_ptr());
        Unpacked { codes, scales, minima, start, count: 1 }
    }
}

/// Unpacks a part of up to [`ROWS`] rows; those that are missing become zeros.
pub struct Unpack<'a, B> {
    /// The first row's first block.
    pub rows: *const u8,
    pub count: usize,
    /// Numbers in a row.
    pub k: usize,
    /// Which of them: whole blocks, at most [`DEPTH`].
    pub part: Range<usize>,
    /// With room.
    pub to: &'a mut Panel,
    pub blocks: PhantomData<B>,
}

impl<B: Blocks> Kernel for Unpack<'_, B> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { rows, count, k, part, to, .. } = self;
        let groups = B::LEN / B::GROUP;
        let stride = k / B::LEN * B::BYTES;
        let mut codes = [[0i8; 256]; ROWS];
        let (mut scales, mut minima) = ([0f32; 16], [0f32; 16]);
        let mut place = to.codes.as_mut_ptr();
        for (at, block) in (part.start / B::LEN..part.end / B::LEN).enumerate() {
            for (row, codes) in codes.iter_mut().enumerate().take(count) {
                unsafe {
                    let from = rows.add(row * stride + block * B::BYTES);
                    B::codes::<S>(from, codes.as_mut_ptr());
                    B::scales::<S>(from, scales.as_mut_ptr(), minima.as_mut_ptr());
                }
                for (group, (&scale, &minimum)) in scales.iter().zip(&minima).enumerate().take(groups) {
                    let at = (at * groups + group) * ROWS + row;
                    to.scales[at] = scale;
                    if B::MINIMA {
                        to.minima[at] = minimum;
                    }
                }
            }
            for sixteen in (0..B::LEN).step_by(16) {
                place = unsafe { interleave::<S>(place, &codes, sixteen) };
            }
        }
        let groups = part.len() / B::GROUP;
        for row in count..ROWS {
            for group in 0..groups {
                to.scales[group * ROWS + row] = 0.0;
                to.minima[group * ROWS + row] = 0.0;
            }
        }
        if S::DOT == Dot::Unsigned {
            unsafe { start::<S>(to.codes.as_ptr(), groups, B::GROUP, to.start.as_mut_ptr()) };
        }
    }
}

/// Writes sixteen codes of all rows, by what one lane takes; where the next are to be written.
#[inline(always)]
pub unsafe fn interleave<S: Simd>(mut place: *mut u8, codes: &[[i8; 256]; ROWS], at: usize) -> *mut u8 {
    // Widened, sixteen codes fill two vectors.
    for half in 0..S::DOT.bytes() {
        for vector in 0..VECTORS {
            unsafe {
                let mut rows = [S::zero(); 4];
                for (row, codes) in rows.iter_mut().zip(&codes[4 * vector..]) {
                    *row = S::load(codes.as_ptr().add(at));
                    if S::DOT == Dot::Pairs {
                        *row = if half == 0 { S::widen_low(*row) } else { S::widen_high(*row) };
                    }
                }
                for (lane, rows) in S::transpose(rows).into_iter().enumerate() {
                    S::store(place.add(4 * ROWS * lane + 16 * vector), rows);
                }
            }
        }
        place = unsafe { place.add(16 * ROWS) };
    }
    place
}

/// What the sums of each group begin with, so that the 128 that each activation is stored too high falls out.
#[inline(always)]
pub unsafe fn start<S: Simd>(mut codes: *const u8, groups: usize, group: usize, mut to: *mut i32) {
    for _ in 0..groups {
        unsafe {
            let mut sums = [S::zero(); VECTORS];
            for _ in 0..group / 4 {
                for sum in &mut sums {
                    *sum = S::dot(*sum, S::load(codes), S::splat_i8(1));
                    codes = codes.add(16);
                }
            }
            for sum in sums {
                S::store(to, S::sub_i32(S::zero(), S::shl_i32::<7>(sum)));
                to = to.add(4);
            }
        }
    }
}

/// The products of a part of a panel and of some tiles, added up part by part; each tile's are given to `out` with the last.
pub struct Multiply<'a, B, O> {
    pub panel: &'a Panel,
    /// Numbers in a row.
    pub k: usize,
    /// Which of them the panel holds.
    pub part: Range<usize>,
    pub x: &'a Tiles,
    /// Which tiles.
    pub tiles: Range<usize>,
    /// [`SUMS`] of each of these tiles, kept from part to part; the first overwrites them.
    pub sums: &'a mut [f32],
    pub out: O,
    pub blocks: PhantomData<B>,
}

/// What takes a tile's sums.
pub trait Out {
    /// Takes tile `at`.
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &Sums<S>);
}

impl<B: Blocks, O: Out> Kernel for Multiply<'_, B, O> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let (all, first, groups) = (self.k / GROUP, self.part.start / GROUP, self.part.len() / GROUP);
        let panel = self.panel.unpacked();
        for (tile, sums) in self.tiles.zip(self.sums.chunks_exact_mut(SUMS)) {
            if first == 0 {
                sums.fill(0.0);
            }
            let sums = sums.as_mut_ptr();
            unsafe {
                let at = tile * all + first;
                let x = TileAt {
                    codes: self.x.codes.as_ptr().add(at * GROUP * TOKENS * S::DOT.bytes()),
                    scales: self.x.scales.as_ptr().add(at * TOKENS),
                    sums: self.x.sums.as_ptr().add(at * TOKENS),
                };
                multiply::<B, S, true>(groups, panel, x, sums, ROWS);
                if self.part.end == self.k {
                    let mut taken = [[S::zero(); VECTORS]; TOKENS];
                    for (at, sum) in taken.as_flattened_mut().iter_mut().enumerate() {
                        *sum = S::load(sums.add(4 * at));
                    }
                    self.out.take::<S>(tile, &taken);
                }
            }
        }
    }
}

/// Where a tile's groups lie, as in [`Tiles`].
#[derive(Clone, Copy)]
pub struct TileAt {
    pub codes: *const u8,
    pub scales: *const f32,
    pub sums: *const f32,
}

/// Where the groups of some panels lie, one panel's after the other's; see [`Panel`].
#[derive(Clone, Copy)]
pub struct Unpacked {
    pub codes: *const u8,
    pub scales: *const f32,
    pub minima: *const f32,
    pub start: *const i32,
    /// Panels.
    pub count: usize,
}

/// Adds the products of one tile and some panels of so many groups to sums that stay in memory, `stride` from
/// token to token: the integer sums of a group need all registers there are. For their sake, too, LLVM is kept from
/// unrolling the loop over lanes (it would bring the products of one sum together, and so need the weights of several
/// lanes at once), and V8 gets a function that does nothing else.
///
/// Where the dot product reads activations without a sign they are stored 128 too high, unless `OFFSET` says that none is
/// negative.
///
/// # Safety
/// There are so many groups, and sums of so many panels.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub unsafe fn multiply<B: Blocks, S: Simd, const OFFSET: bool>(
    groups: usize,
    of: Unpacked,
    x: TileAt,
    sums: *mut f32,
    stride: usize,
) {
    let mut sums = std::hint::black_box(sums);
    let lanes = std::hint::black_box(B::GROUP * S::DOT.bytes() / 4);
    let (mut w, mut scales, mut minima, mut start) = (of.codes, of.scales, of.minima, of.start);
    for _ in 0..of.count {
        let (mut codes, mut x_scales, mut x_sums) = (x.codes, x.scales, x.sums);
        for _ in 0..groups {
            unsafe {
                for _ in 0..GROUP / B::GROUP {
                    let mut acc = [[S::zero(); VECTORS]; TOKENS];
                    if OFFSET && S::DOT == Dot::Unsigned {
                        acc = [[S::load(start), S::load(start.add(4)), S::load(start.add(8))]; TOKENS];
                        start = start.add(ROWS);
                    }
                    macro_rules! lane {
                        ($at:literal) => {{
                            let row = w.add(4 * ROWS * $at);
                            let w = [S::load(row), S::load(row.add(16)), S::load(row.add(32))];
                            lane!($at, w, 0 1 2);
                        }};
                        ($at:literal, $w:ident, $($token:literal)+) => {$({
                            let x = S::load_splat(codes.add(4 * TOKENS * $at + 4 * $token));
                            acc[$token][0] = S::dot(acc[$token][0], $w[0], x);
                            acc[$token][1] = S::dot(acc[$token][1], $w[1], x);
                            acc[$token][2] = S::dot(acc[$token][2], $w[2], x);
                        })+};
                    }
                    for _ in 0..lanes {
                        lane!(0);
                        w = w.add(4 * ROWS);
                        codes = codes.add(4 * TOKENS);
                    }
                    let scale = [S::load(scales), S::load(scales.add(4)), S::load(scales.add(8))];
                    scales = scales.add(ROWS);
                    macro_rules! add {
                        ($($token:literal: $x:ident)+) => {$(
                            let $x = S::load_splat(x_scales.add($token));
                            add!($token, $x, 0 1 2);
                        )+};
                        ($token:literal, $x:ident, $($i:literal)+) => {$({
                            let sum = sums.add(stride * $token + 4 * $i);
                            let scaled = S::mul(S::from_i32(acc[$token][$i]), scale[$i]);
                            S::store(sum, S::fma(scaled, $x, S::load(sum)));
                        })+};
                    }
                    add!(0: x 1: y 2: z);
                }
                if B::MINIMA {
                    for token in 0..TOKENS {
                        let x = S::load_splat(x_sums.add(token));
                        for i in 0..VECTORS {
                            let sum = sums.add(stride * token + 4 * i);
                            S::store(sum, S::sub(S::load(sum), S::mul(S::load(minima.add(4 * i)), x)));
                        }
                    }
                    minima = minima.add(ROWS);
                }
                x_scales = x_scales.add(TOKENS);
                x_sums = x_sums.add(TOKENS);
            }
        }
        sums = unsafe { sums.add(ROWS) };
    }
}
