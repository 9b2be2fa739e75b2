//! The slicer of LFM2-VL: a picture that fits the encoder's budget is seen at nearly its own size, a larger one as square
//! tiles and a thumbnail.
//!
//! Source: transformers `lfm2_vl/image_processing_lfm2_vl.py`. That resizes with torchvision, whose bytes depend on the
//! machine; pixels here are Pillow's, as its processors of other families have them, at most two levels of 255 away.

use super::Size;
use super::slice::{Grid, Layout, Making};

/// The knobs of the slicer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flexible {
    /// Sides of views are multiples of this: the patch times what the connector merges.
    pub align: u32,
    /// The fewest rows of the decoder that a view of an uncut picture, or a thumbnail, becomes: squares of `align`.
    pub min_tokens: u32,
    /// The most.
    pub max_tokens: u32,
    /// A picture is cut whose squares of `align` are more than this many times `max_tokens`.
    pub tolerance: u32,
    /// Sides of a tile.
    pub tile: u32,
    /// The fewest tiles.
    pub min_tiles: u32,
    /// The most tiles.
    pub max_tiles: u32,
    /// How the pixels of the views are made.
    pub making: Making,
}

impl Flexible {
    /// How a picture of that size, neither empty nor too thin, is cut.
    pub(super) fn cut(&self, picture: Size) -> Layout {
        let tile = Size::new(self.tile, self.tile);
        let cut = self.max_tiles >= self.min_tiles && self.is_large(picture);
        let grid = cut.then(|| self.grid(picture));
        let grid = grid.map(|(columns, rows)| Grid { columns, rows, slice: tile });
        Layout { picture, overview: self.budgeted(picture), grid, via: None, making: self.making }
    }

    /// Squares of `align` along a side, to the nearest.
    fn steps(&self, side: u32) -> u64 {
        (f64::from(side) / f64::from(self.align)).round_ties_even() as u64
    }

    fn is_large(&self, picture: Size) -> bool {
        // A side of no square counts as half of one: the reference puts a patch there, and `align` is two patches.
        let halves = |side| (2 * self.steps(side)).max(1);
        halves(picture.width) * halves(picture.height) > 4 * u64::from(self.max_tokens * self.tolerance)
    }

    /// Whole squares within the budget, of nearly the picture's aspect.
    fn budgeted(&self, picture: Size) -> Size {
        let (width, height) = (f64::from(picture.width), f64::from(picture.height));
        let align = f64::from(self.align);
        let pixels = |tokens: u32| f64::from(tokens) * align * align;
        let [columns, rows] = [picture.width, picture.height].map(|side| self.steps(side).max(1));
        let [columns, rows] = if columns * rows > u64::from(self.max_tokens) {
            let shrink = (width * height / pixels(self.max_tokens)).sqrt();
            [width, height].map(|side| ((side / shrink / align).floor() as u64).max(1))
        } else if columns * rows < u64::from(self.min_tokens) {
            let grow = (pixels(self.min_tokens) / (width * height)).sqrt();
            [width, height].map(|side| (side * grow / align).ceil() as u64)
        } else {
            [columns, rows]
        };
        Size::new(columns as u32 * self.align, rows as u32 * self.align)
    }

    /// The columns and rows whose aspect is nearest the picture's; of equal aspects the finer, if the picture has half
    /// as many pixels as that.
    fn grid(&self, picture: Size) -> (u32, u32) {
        let aspect = f64::from(picture.width) / f64::from(picture.height);
        let (mut best, mut least) = ((1, 1), f64::INFINITY);
        for tiles in self.min_tiles..=self.max_tiles {
            for columns in (1..=tiles).filter(|columns| tiles % columns == 0) {
                let rows = tiles / columns;
                let error = (aspect - f64::from(columns) / f64::from(rows)).abs();
                let enough = 2 * picture.area() > u64::from(tiles) * u64::from(self.tile).pow(2);
                if error < least || error == least && enough {
                    (best, least) = ((columns, rows), error);
                }
            }
        }
        best
    }
}
