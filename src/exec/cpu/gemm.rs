//! Many tokens times a quantised matrix, after Goto & van de Geijn (2008), with integers.
//!
//! Eight rows of weights are unpacked into a panel that stays in the first cache while tile after tile of four tokens
//! passes by: 4 × 8 sums are in registers at once. V8 has fifteen vector registers and keeps one of them for itself, so
//! there is no room for a larger tile. The panel is the only copy of weights that is ever made.

pub use super::quantise::TOKENS;
use super::{
    blocks::Blocks,
    quantise::{GROUP, Tiles},
    simd::{Dot, Kernel, Simd},
};

/// Rows in a panel.
pub const ROWS: usize = 8;

/// Eight rows of weights, unpacked: `[k/32]` groups.
#[derive(Default)]
pub struct Panel {
    /// Each group `[8, 8, 4]` bytes or `[16, 8, 2]` pairs: what one lane takes, of eight rows.
    codes: Vec<u8>,
    /// `[k / the format's group, 8]`.
    scales: Vec<f32>,
    /// `[k / the format's group, 8]`, when the format has minima.
    minima: Vec<f32>,
    /// −128·(sum of codes), `[k / the format's group, 8]`, where activations are stored 128 too high.
    start: Vec<i32>,
}

impl Panel {
    /// Makes room for rows of k weights; more is never given back.
    pub fn reserve(&mut self, k: usize) {
        // 16-bit codes and groups of sixteen are the most there can be.
        if self.codes.len() < ROWS * k * 2 {
            self.codes.resize(ROWS * k * 2, 0);
            self.scales.resize(ROWS * k / 16, 0.0);
            self.minima.resize(ROWS * k / 16, 0.0);
            self.start.resize(ROWS * k / 16, 0);
        }
    }
}

/// Unpacks up to eight rows; those that are missing become zeros.
pub struct Unpack<'a, B> {
    /// The first row's first block.
    pub rows: *const u8,
    pub count: usize,
    /// Numbers in a row.
    pub k: usize,
    pub to: &'a mut Panel,
    pub blocks: std::marker::PhantomData<B>,
}

impl<B: Blocks> Kernel for Unpack<'_, B> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { rows, count, k, to, .. } = self;
        let (blocks, groups) = (k / B::LEN, B::LEN / B::GROUP);
        let stride = blocks * B::BYTES;
        let mut codes = [[0i8; 256]; ROWS];
        let (mut scales, mut minima) = ([0f32; 16], [0f32; 16]);
        let mut place = to.codes.as_mut_ptr();
        for block in 0..blocks {
            for (row, codes) in codes.iter_mut().enumerate().take(count) {
                unsafe {
                    let from = rows.add(row * stride + block * B::BYTES);
                    B::codes::<S>(from, codes.as_mut_ptr());
                    B::scales::<S>(from, scales.as_mut_ptr(), minima.as_mut_ptr());
                }
                for (group, (&scale, &minimum)) in scales.iter().zip(&minima).enumerate().take(groups) {
                    let at = (block * groups + group) * ROWS + row;
                    to.scales[at] = scale;
                    if B::MINIMA {
                        to.minima[at] = minimum;
                    }
                }
            }
            for at in (0..B::LEN).step_by(16) {
                unsafe {
                    let of = |row: usize| S::load(codes[row].as_ptr().add(at));
                    let [low, high] = [[of(0), of(1), of(2), of(3)], [of(4), of(5), of(6), of(7)]];
                    if S::DOT == Dot::Pairs {
                        let (mut first, mut last) = ([low, high], [low, high]);
                        for (first, last) in first.as_flattened_mut().iter_mut().zip(last.as_flattened_mut()) {
                            (*first, *last) = (S::widen_low(*first), S::widen_high(*last));
                        }
                        for [low, high] in [first, last] {
                            place = interleave::<S>(place, low, high);
                        }
                    } else {
                        place = interleave::<S>(place, low, high);
                    }
                }
            }
        }
        for row in count..ROWS {
            for group in 0..k / B::GROUP {
                to.scales[group * ROWS + row] = 0.0;
                to.minima[group * ROWS + row] = 0.0;
            }
        }
        if S::DOT == Dot::Unsigned {
            let lanes = B::GROUP / 4;
            for group in 0..k / B::GROUP {
                unsafe {
                    let mut sums = [S::zero(); 2];
                    for lane in 0..lanes {
                        let codes = to.codes.as_ptr().add((group * lanes + lane) * 4 * ROWS);
                        sums[0] = S::dot(sums[0], S::load(codes), S::splat_i8(1));
                        sums[1] = S::dot(sums[1], S::load(codes.add(16)), S::splat_i8(1));
                    }
                    let start = to.start.as_mut_ptr().add(group * ROWS);
                    S::store(start, S::sub_i32(S::zero(), S::shl_i32::<7>(sums[0])));
                    S::store(start.add(4), S::sub_i32(S::zero(), S::shl_i32::<7>(sums[1])));
                }
            }
        }
    }
}

/// Four groups of lanes of eight rows.
#[inline(always)]
unsafe fn interleave<S: Simd>(mut place: *mut u8, low: [S::V; 4], high: [S::V; 4]) -> *mut u8 {
    unsafe {
        for (low, high) in S::transpose(low).into_iter().zip(S::transpose(high)) {
            S::store(place, low);
            S::store(place.add(16), high);
            place = place.add(32);
        }
    }
    place
}

/// The products of a panel and some tiles, `[4 · tiles, 8]`, each given to `out` as soon as it is whole: a tile's
/// place and its sums, two vectors a token.
pub struct Multiply<'a, B, F> {
    pub panel: &'a Panel,
    pub k: usize,
    pub x: &'a Tiles,
    /// Which tiles.
    pub tiles: std::ops::Range<usize>,
    pub out: F,
    pub blocks: std::marker::PhantomData<B>,
}

/// What takes a tile's sums.
pub trait Out {
    /// Takes tile `at`: `[4, 8]`.
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &[[S::V; 2]; TOKENS]);
}

impl<B: Blocks, F: Out> Kernel for Multiply<'_, B, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let groups = self.k / GROUP;
        for tile in self.tiles {
            let mut sums = [[unsafe { S::zero() }; 2]; TOKENS];
            unsafe {
                let x = TileAt {
                    codes: self.x.codes.as_ptr().add(tile * groups * GROUP * TOKENS * S::DOT.bytes()),
                    scales: self.x.scales.as_ptr().add(tile * groups * TOKENS),
                    sums: self.x.sums.as_ptr().add(tile * groups * TOKENS),
                };
                multiply::<B, S>(groups, self.panel, x, &mut sums);
                self.out.take::<S>(tile, &sums);
            }
        }
    }
}

struct TileAt {
    codes: *const u8,
    scales: *const f32,
    sums: *const f32,
}

/// One tile. The sums are behind a pointer on purpose: the integer sums of a group need all registers there are.
#[inline(always)]
unsafe fn multiply<B: Blocks, S: Simd>(groups: usize, panel: &Panel, x: TileAt, sums: &mut [[S::V; 2]; TOKENS]) {
    let sums = std::hint::black_box(sums.as_mut_ptr());
    let (mut w, mut codes) = (panel.codes.as_ptr(), x.codes);
    let (mut scales, mut minima, mut start) = (panel.scales.as_ptr(), panel.minima.as_ptr(), panel.start.as_ptr());
    let (mut x_scales, mut x_sums) = (x.scales, x.sums);
    for _ in 0..groups {
        unsafe {
            for _ in 0..GROUP / B::GROUP {
                let mut acc = if S::DOT == Dot::Unsigned {
                    [[S::load(start), S::load(start.add(4))]; TOKENS]
                } else {
                    [[S::zero(); 2]; TOKENS]
                };
                start = start.add(ROWS);
                macro_rules! lane {
                    ($at:literal) => {{
                        let (low, high) = (S::load(w.add(32 * $at)), S::load(w.add(32 * $at + 16)));
                        lane!($at, 0, low, high);
                        lane!($at, 1, low, high);
                        lane!($at, 2, low, high);
                        lane!($at, 3, low, high);
                    }};
                    ($at:literal, $token:literal, $low:ident, $high:ident) => {{
                        let x = S::load_splat(codes.add(16 * $at + 4 * $token));
                        acc[$token][0] = S::dot(acc[$token][0], $low, x);
                        acc[$token][1] = S::dot(acc[$token][1], $high, x);
                    }};
                }
                // Two at a time: more, and LLVM moves loads to where they take registers from the sums.
                for _ in 0..B::GROUP * S::DOT.bytes() / 8 {
                    lane!(0);
                    lane!(1);
                    w = w.add(64);
                    codes = codes.add(32);
                }
                let scale = [S::load(scales), S::load(scales.add(4))];
                scales = scales.add(ROWS);
                macro_rules! add {
                    ($token:literal) => {{
                        let sums = &mut *sums.add($token);
                        let x = S::load_splat(x_scales.add($token));
                        for i in 0..2 {
                            sums[i] = S::fma(S::mul(S::from_i32(acc[$token][i]), scale[i]), x, sums[i]);
                        }
                    }};
                }
                add!(0);
                add!(1);
                add!(2);
                add!(3);
            }
            if B::MINIMA {
                let minimum = [S::load(minima), S::load(minima.add(4))];
                minima = minima.add(ROWS);
                for token in 0..TOKENS {
                    let sums = &mut *sums.add(token);
                    let x = S::load_splat(x_sums.add(token));
                    for i in 0..2 {
                        sums[i] = S::sub(sums[i], S::mul(minimum[i], x));
                    }
                }
            }
            x_scales = x_scales.add(TOKENS);
            x_sums = x_sums.add(TOKENS);
        }
    }
}
