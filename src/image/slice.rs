//! How a picture is cut: which grid of slices and which overview a picture of a given size gets. Pure geometry.
//!
//! Each published family cuts in its own way; [`Slicing`] is the choice among the ways, with their knobs, and a
//! [`Layout`] what any of them makes of one picture.

pub use super::flexible::Flexible;
pub use super::presets::{Knobs, PRESETS};
use super::resize::{Filter, PassOrder};
pub use super::tiles::Tiles;
pub use super::uhd::{Round, SliceTest, Tie, Uhd, Unsliced};
use super::{Rect, Size};
use crate::error::{Error, Result};

/// A side may be at most this many times the other: thinner strips hold nothing to see, and their single row of patches
/// grows with the root of the aspect, beyond any budget.
pub const MOST_ASPECT: u32 = 256;

/// A way to cut pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slicing {
    /// Slices of the picture's own aspect (LLaVA-UHD, MiniCPM-V).
    Uhd(Uhd),
    /// Square tiles of the enlarged picture (Idefics3, SmolVLM).
    Tiles(Tiles),
    /// The picture at nearly its own size, or square tiles of a large one (LFM2-VL).
    Flexible(Flexible),
    /// Never cut: one square of this side (CLIP, LLaVA-1.5).
    Square {
        /// Pixels.
        side: u32,
        /// How the square is made.
        making: Making,
    },
}

/// How a picture fills an area of another aspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Stretched by the few per cent that alignment asks for, or more.
    Stretch,
    /// Aspect kept, as large as the area holds it, centred on this colour.
    Letterbox([u8; 3]),
    /// Laid on a square of this colour first, then resized.
    Pad([u8; 3]),
    /// The shorter side fitted, what is too long cut off at both ends.
    Crop,
}

/// How the pixels of the views are made of the picture's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Making {
    /// How pixels are weighed.
    pub filter: Filter,
    /// Which side is resized first.
    pub order: PassOrder,
    /// How the picture fills its slices.
    pub slices: Fit,
    /// How the picture fills the overview.
    pub overview: Fit,
}

/// A grid of equal slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Slices in a row.
    pub columns: u32,
    /// Rows of slices.
    pub rows: u32,
    /// What the encoder sees of each, in pixels.
    pub slice: Size,
}

/// How a picture is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The picture.
    pub picture: Size,
    /// The overview as the encoder sees it, in pixels.
    pub overview: Size,
    /// The slices; none where the overview shows enough.
    pub grid: Option<Grid>,
    /// A size the picture is brought to first; then the overview is made of what the slices are cut from.
    pub via: Option<Size>,
    /// How the pixels are made.
    pub making: Making,
}

impl Slicing {
    /// How a picture of `width` × `height` pixels is cut.
    ///
    /// # Errors
    /// A picture error for a side of zero, and for a strip thinner than [`MOST_ASPECT`] allows.
    pub fn layout(&self, width: u32, height: u32) -> Result<Layout> {
        let (short, long) = (width.min(height), width.max(height));
        if short == 0 {
            return Err(Error::picture("The picture has no pixels; choose another."));
        }
        if u64::from(long) > u64::from(short) * u64::from(MOST_ASPECT) {
            return Err(Error::picture(format!(
                "A picture of {width} × {height} pixels is too thin to look at; crop it to at most {MOST_ASPECT} times as \
                 long as wide."
            )));
        }
        let picture = Size::new(width, height);
        Ok(match self {
            Self::Uhd(uhd) => uhd.cut(picture),
            Self::Tiles(tiles) => tiles.cut(picture),
            Self::Flexible(flexible) => flexible.cut(picture),
            Self::Square { side, making } => {
                Layout { picture, overview: Size::new(*side, *side), grid: None, via: None, making: *making }
            }
        })
    }

    /// The most slices, the overview not counted.
    pub fn max_slices(&self) -> u32 {
        match self {
            Self::Uhd(uhd) => uhd.max_slices,
            Self::Tiles(tiles) => tiles.longest.div_ceil(tiles.side).pow(2),
            Self::Flexible(flexible) => flexible.max_tiles,
            Self::Square { .. } => 0,
        }
    }

    /// The same way with at most `most` slices: what it would cut into more is cut into fewer, or seen whole. Of tiles, which
    /// an enlarged picture becomes, there are at most as many as a square of tiles holds.
    #[must_use]
    pub fn at_most(self, most: u32) -> Self {
        match self {
            Self::Uhd(uhd) => Self::Uhd(Uhd { max_slices: uhd.max_slices.min(most), ..uhd }),
            Self::Tiles(tiles) => {
                let longest = most.isqrt().max(1).saturating_mul(tiles.side);
                Self::Tiles(Tiles { longest: tiles.longest.min(longest), ..tiles })
            }
            Self::Flexible(flexible) => {
                Self::Flexible(Flexible { max_tiles: flexible.max_tiles.min(most), ..flexible })
            }
            Self::Square { .. } => self,
        }
    }

    /// The places, row and column from 1, that a slice can have.
    pub fn places(&self) -> Vec<[u32; 2]> {
        let most = self.max_slices();
        let across = |most: u32| if let Self::Tiles(tiles) = self { tiles.longest.div_ceil(tiles.side) } else { most };
        let row = |row: u32| (1..=across(most / row)).map(move |column| [row, column]);
        (1..=across(most)).flat_map(row).collect()
    }

    /// The sides of a view of a square picture.
    pub fn side(&self) -> u32 {
        match self {
            Self::Uhd(uhd) => uhd.area_side,
            Self::Tiles(tiles) => tiles.side,
            Self::Flexible(flexible) => flexible.tile,
            Self::Square { side, .. } => *side,
        }
    }
}

impl From<Uhd> for Slicing {
    fn from(uhd: Uhd) -> Self {
        Self::Uhd(uhd)
    }
}

impl Layout {
    /// Views the encoder sees: the slices and the overview.
    pub fn views(&self) -> u32 {
        1 + self.grid.map_or(0, |grid| grid.columns * grid.rows)
    }

    /// The part of the picture that one slice shows, in whole pixels of the picture: each pixel belongs to the slice
    /// that its centre falls into, so that the slices share no pixel and leave none out. The whole picture when there is
    /// no grid. Letterboxing is not reckoned with.
    pub fn source_rect(&self, column: u32, row: u32) -> Rect {
        let (columns, rows) = self.grid.map_or((1, 1), |grid| (grid.columns, grid.rows));
        let border = |i: u32, n: u32, side: u32| {
            let (i, n, side) = (u64::from(i.min(n)), u64::from(n), u64::from(side));
            // The first pixel whose centre, x + ½, is not left of side · i / n.
            (2 * side * i).saturating_sub(n).div_ceil(2 * n) as u32
        };
        let (x, y) = (border(column, columns, self.picture.width), border(row, rows, self.picture.height));
        Rect {
            x,
            y,
            width: border(column.saturating_add(1), columns, self.picture.width) - x,
            height: border(row.saturating_add(1), rows, self.picture.height) - y,
        }
    }
}
