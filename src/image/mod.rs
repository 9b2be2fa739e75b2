//! From the bytes of a picture to the rows of patches that a vision encoder reads.
//!
//! [`decode`] (bytes → [`Rgb`]) → [`slice`] (its size → a [`slice::Layout`]) → [`views`] (pixels of the slices and of the
//! overview, by [`resize`]) → [`patches`] (rows for the patch embedding).

pub mod decode;
pub mod draw;
mod flexible;
mod logarithms;
pub mod patches;
mod presets;
pub mod resize;
pub mod slice;
pub mod sniff;
pub mod strategies;
mod tiles;
mod uhd;
pub mod views;

use crate::error::{Error, Result};

/// Columns and rows, in pixels unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// `width` columns by `height` rows.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Width × height, which always fits.
    pub const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// A rectangle of pixels: columns `x..x + width`, rows `y..y + height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rect {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A picture: 8-bit sRGB, row-major, three bytes a pixel, no padding between rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height, width, 3]`, red first.
    pub pixels: Vec<u8>,
}

impl Rgb {
    /// Takes `[height, width, 3]` bytes.
    ///
    /// # Errors
    /// An internal error when the bytes are not as many as the sides ask for.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self> {
        if Size::new(width, height).area().checked_mul(3) != Some(pixels.len() as u64) {
            return Err(Error::internal(format!(
                "{} bytes do not make a picture of {width} × {height} pixels; report this.",
                pixels.len()
            )));
        }
        Ok(Self { width, height, pixels })
    }

    /// A picture of one colour.
    pub fn filled(size: Size, colour: [u8; 3]) -> Self {
        Self { width: size.width, height: size.height, pixels: colour.repeat(size.area() as usize) }
    }

    /// Its columns and rows.
    pub fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }

    /// A copy of the pixels inside `rect`; what lies outside the picture is left out.
    pub fn crop(&self, rect: Rect) -> Self {
        let (left, right) = (rect.x.min(self.width), rect.x.saturating_add(rect.width).min(self.width));
        let (top, bottom) = (rect.y.min(self.height), rect.y.saturating_add(rect.height).min(self.height));
        let mut pixels = Vec::with_capacity((right - left) as usize * (bottom - top) as usize * 3);
        for y in top..bottom {
            let row = y as usize * self.width as usize;
            pixels.extend_from_slice(&self.pixels[(row + left as usize) * 3..(row + right as usize) * 3]);
        }
        Self { width: right - left, height: bottom - top, pixels }
    }

    /// Copies `top` over this picture with its first pixel at (`x`, `y`); what would fall outside is left out.
    pub fn paste(&mut self, top: &Rgb, x: u32, y: u32) {
        let columns = top.width.min(self.width.saturating_sub(x)) as usize * 3;
        for row in 0..top.height.min(self.height.saturating_sub(y)) {
            let from = row as usize * top.width as usize * 3;
            let to = ((y + row) as usize * self.width as usize + x as usize) * 3;
            self.pixels[to..to + columns].copy_from_slice(&top.pixels[from..from + columns]);
        }
    }
}
