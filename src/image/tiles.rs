//! The slicer of Idefics3 and SmolVLM: the picture is enlarged or reduced until its longer side has a given length, then
//! stretched to whole tiles; the tiles, and all of it in one more.
//!
//! Source: transformers `idefics3/image_processing_pil_idefics3.py`; llama.cpp `tools/mtmd/mtmd-image.cpp`.

use super::Size;
use super::slice::{Grid, Layout, Making};

/// The knobs of the slicer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// Sides of a tile.
    pub side: u32,
    /// The longer side of the picture before it is cut.
    pub longest: u32,
    /// Whether a picture of a single tile is a grid of one tile all the same (llama.cpp).
    pub always: bool,
    /// Whether the second stretch starts from the aspect that the first one left (transformers), or counts tiles of each
    /// side by itself (llama.cpp).
    pub by_aspect: bool,
    /// How the pixels of the views are made.
    pub making: Making,
}

impl Tiles {
    /// How a picture of that size, neither empty nor too thin, is cut.
    pub(super) fn cut(&self, picture: Size) -> Layout {
        let via = self.enlarged(picture);
        let whole = self.stretched(via);
        let (columns, rows) = (whole.width / self.side, whole.height / self.side);
        let tile = Size::new(self.side, self.side);
        let grid = (columns * rows > 1 || self.always).then_some(Grid { columns, rows, slice: tile });
        Layout { picture, overview: tile, grid, via: Some(via), making: self.making }
    }

    /// The longer side as wanted, the other after it, even.
    fn enlarged(&self, picture: Size) -> Size {
        let aspect = f64::from(picture.width) / f64::from(picture.height);
        let longest = f64::from(self.longest);
        let even = |side: f64| (side as u32).next_multiple_of(2).max(1);
        if picture.width >= picture.height {
            Size::new(self.longest, even(longest / aspect))
        } else {
            Size::new(even(longest * aspect), self.longest)
        }
    }

    /// The smallest size of whole tiles.
    fn stretched(&self, size: Size) -> Size {
        let whole = |side: u32| side.next_multiple_of(self.side);
        let aspect = f64::from(size.width) / f64::from(size.height);
        let Size { width, height } = size;
        if !self.by_aspect {
            Size::new(whole(width), whole(height))
        } else if width >= height {
            Size::new(whole(width), whole((f64::from(whole(width)) / aspect) as u32).max(self.side))
        } else {
            Size::new(whole((f64::from(whole(height)) * aspect) as u32).max(self.side), whole(height))
        }
    }
}
