//! The LLaVA-UHD slicer: a grid of slices whose aspect is nearest the picture's, and an overview.
//!
//! UHD-v1, the MiniCPM-V family and llama.cpp's variants are one function with different [`Uhd`] knobs. It is exact:
//! aspects are compared as integers, and where two grids are equally near, the rounding of the reference implementations
//! decides through a table, so that native and wasm never part.
//!
//! Sources: arXiv 2403.11703; thunlp/LLaVA-UHD `llava/slice_process.py`; transformers `minicpmv4_6`; llama.cpp `tools/mtmd`.

use std::cmp::Ordering;

use super::Size;
use super::logarithms::ln;
use super::slice::{Grid, Layout, Making, Slicing};
use crate::error::Result;

/// How x / a becomes a whole number when sides are aligned to multiples of a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Down.
    Floor,
    /// To the nearest, halves to the even one (Python).
    HalfEven,
    /// To the nearest, halves away from zero (C).
    HalfAway,
}

/// Which pictures are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceTest {
    /// Those whose area exceeds `area_side`².
    Area,
    /// Those with a side above `area_side`.
    AnySide,
}

/// What an uncut picture becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsliced {
    /// Its own aspect at an area of `area_side`², enlarged if need be.
    Area,
    /// A square of `area_side`, whatever its aspect.
    Square,
}

/// Which of two grids of exactly the same aspect error wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The smaller error in 64-bit logarithms; if equal, the first in the order (cells, columns) ascending.
    First,
    /// The smaller error in 64-bit logarithms; if equal, the one of more rows.
    MoreRows,
    /// The first in the order (cells, columns) ascending: errors are kept in 32 bits, where a tie is a tie.
    FirstIn32Bits,
}

/// The knobs of the slicer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uhd {
    /// A view has about `area_side`² pixels: the side of the square the encoder was trained on.
    pub area_side: u32,
    /// Sides of views are multiples of this: the patch, or the patch times what the encoder merges.
    pub align: u32,
    /// The most slices.
    pub max_slices: u32,
    /// How sides are aligned.
    pub round: Round,
    /// Which pictures are cut.
    pub slice_test: SliceTest,
    /// What an uncut picture becomes.
    pub unsliced: Unsliced,
    /// Which grid wins a tie.
    pub tie: Tie,
    /// How the pixels of the views are made.
    pub making: Making,
}

impl Uhd {
    /// How a picture of `width` × `height` pixels is cut.
    ///
    /// # Errors
    /// Those of [`Slicing::layout`].
    pub fn layout(&self, width: u32, height: u32) -> Result<Layout> {
        Slicing::Uhd(*self).layout(width, height)
    }

    /// How a picture of that size, neither empty nor too thin, is cut.
    pub(super) fn cut(&self, picture: Size) -> Layout {
        let grid = self.grid(picture).map(|(columns, rows)| {
            let cell_width = self.align_to(f64::from(picture.width), columns) / columns;
            let cell_height = self.align_to(f64::from(picture.height), rows) / rows;
            Grid { columns, rows, slice: self.fit_area(Size::new(cell_width, cell_height), true) }
        });
        let overview = match (grid, self.unsliced) {
            (Some(_), _) => self.fit_area(picture, false),
            (None, Unsliced::Area) => self.fit_area(picture, true),
            (None, Unsliced::Square) => Size::new(self.area_side, self.area_side),
        };
        Layout { picture, overview, grid, via: None, making: self.making }
    }

    /// The columns and rows whose aspect is nearest the picture's, among all grids of one cell less, as many, or one cell
    /// more than the area asks for. A grid of one cell is never a candidate: what is cut at all gets two slices or more.
    fn grid(&self, picture: Size) -> Option<(u32, u32)> {
        let view = Size::new(self.area_side, self.area_side).area();
        let cells = picture.area().div_ceil(view).min(u64::from(self.max_slices)) as u32;
        let cut = match self.slice_test {
            SliceTest::Area => cells > 1,
            SliceTest::AnySide => picture.width.max(picture.height) > self.area_side,
        };
        let counts = cells.saturating_sub(1).max(2)..=(cells + 1).min(self.max_slices);
        let grids = counts.flat_map(|n| (1..=n).filter(move |c| n % c == 0).map(move |c| (c, n / c)));
        grids.filter(|_| cut).reduce(|best, next| if self.nearer(picture, next, best) { next } else { best })
    }

    /// Whether |ln(W/H) − ln(c/r)| is less for grid `a` than for grid `b`, which comes before it in the order.
    fn nearer(&self, picture: Size, a: (u32, u32), b: (u32, u32)) -> bool {
        match compare_errors(picture, a, b) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal if self.tie == Tie::FirstIn32Bits => false,
            Ordering::Equal => match compare_rounded_errors(picture, a, b) {
                Ordering::Less => true,
                Ordering::Greater => false,
                Ordering::Equal => self.tie == Tie::MoreRows && a.1 > b.1,
            },
        }
    }

    /// The size of about `area_side`² pixels with the aspect of `size`; a smaller one only grows `upscale`d. The width
    /// follows from the truncated height, as in every reference.
    fn fit_area(&self, size: Size, upscale: bool) -> Size {
        let (mut width, mut height) = (f64::from(size.width), f64::from(size.height));
        let side = f64::from(self.area_side);
        if upscale || width * height > side * side {
            let aspect = width / height;
            height = (side / aspect.sqrt()).trunc();
            width = (height * aspect).trunc();
        }
        Size::new(self.align_to(width, self.align), self.align_to(height, self.align))
    }

    /// The multiple of `step` that `x` rounds to; at least one step.
    fn align_to(&self, x: f64, step: u32) -> u32 {
        let steps = x / f64::from(step);
        let steps = match self.round {
            Round::Floor => steps.floor(),
            Round::HalfEven => steps.round_ties_even(),
            Round::HalfAway => steps.round(),
        };
        (steps as u32).max(1) * step
    }
}

/// Compares |ln x − ln a| with |ln x − ln b| for x = W/H without a logarithm: of two ratios the larger is nearer exactly
/// when x² exceeds their product.
fn compare_errors(picture: Size, a: (u32, u32), b: (u32, u32)) -> Ordering {
    let [w, h, ac, ar, bc, br] = [picture.width, picture.height, a.0, a.1, b.0, b.1].map(u128::from);
    let x_squared = (w * w * ar * br).cmp(&(h * h * ac * bc));
    match (ac * br).cmp(&(bc * ar)) {
        Ordering::Greater => x_squared.reverse(),
        Ordering::Less => x_squared,
        Ordering::Equal => Ordering::Equal,
    }
}

/// The same for an exact tie, as 64-bit floating point sees it. In a tie x is itself a ratio of the table.
fn compare_rounded_errors(picture: Size, a: (u32, u32), b: (u32, u32)) -> Ordering {
    let error = |grid: (u32, u32)| Some((ln(picture.width, picture.height)? - ln(grid.0, grid.1)?).abs());
    error(a).zip(error(b)).and_then(|(a, b)| a.partial_cmp(&b)).unwrap_or(Ordering::Equal)
}
