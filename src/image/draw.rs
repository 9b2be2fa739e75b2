//! The grid of slices drawn over the picture, for people to see what the model is shown.

use super::resize::{Filter, PassOrder, resize};
use super::slice::Layout;
use super::{Rect, Rgb, Size};

/// The longer side of the drawing lies between these, in pixels, so that its lines can be seen.
const SIDES: std::ops::RangeInclusive<u32> = 512..=1280;

const LINE: [u8; 3] = [255, 196, 0];
const EDGE: [u8; 3] = [16, 16, 16];

/// The picture, fitted to a screen, with a line around every slice; around the whole where it is not cut.
pub fn slices(picture: &Rgb, layout: &Layout) -> Rgb {
    let long = picture.width.max(picture.height).max(1);
    let target = long.clamp(*SIDES.start(), *SIDES.end());
    let scale = |x: u32| ((u64::from(x) * u64::from(target) + u64::from(long) / 2) / u64::from(long)).max(1) as u32;
    let size = Size::new(scale(picture.width), scale(picture.height));
    let mut drawing = resize(picture, size, Filter::Bicubic, PassOrder::BySize);
    let (columns, rows) = layout.grid.map_or((1, 1), |grid| (grid.columns, grid.rows));
    let (thick, edge) = ((target / 256).max(2), (target / 768).max(1));
    // Dark edges first, so that crossings stay clean; bright within dark is seen on any picture.
    for (half, colour) in [(thick / 2 + edge, EDGE), (thick / 2, LINE)] {
        for column in 0..=columns {
            let x = border(column, columns, size.width, half);
            fill(&mut drawing, Rect { x, y: 0, width: 2 * half, height: size.height }, colour);
        }
        for row in 0..=rows {
            let y = border(row, rows, size.height, half);
            fill(&mut drawing, Rect { x: 0, y, width: size.width, height: 2 * half }, colour);
        }
    }
    drawing
}

/// Where a line of `2 · half` pixels begins to run along border `i` of `n`; the outer ones stay inside.
fn border(i: u32, n: u32, side: u32, half: u32) -> u32 {
    let centre = (u64::from(side) * u64::from(i) / u64::from(n)) as u32;
    centre.saturating_sub(half).min(side.saturating_sub(2 * half))
}

fn fill(picture: &mut Rgb, rect: Rect, colour: [u8; 3]) {
    let right = (rect.x + rect.width).min(picture.width);
    for y in rect.y..(rect.y + rect.height).min(picture.height) {
        let row = y as usize * picture.width as usize;
        let line = &mut picture.pixels[(row + rect.x as usize) * 3..(row + right as usize) * 3];
        line.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&colour));
    }
}
