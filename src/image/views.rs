//! The pixels of a picture's views.

use super::resize::resize;
use super::slice::{Fit, Layout, Making};
use super::strategies::pad;
use super::{Rect, Rgb, Size};

/// The views that `layout` describes, in the order in which prompts name them: the slices row by row, then the overview.
/// The slices are cut from one enlarged or reduced picture; the overview is made from the picture itself, or from the
/// same enlarged one where the layout says so.
pub fn views(picture: &Rgb, layout: &Layout) -> Vec<Rgb> {
    let making = &layout.making;
    let brought = layout.via.map(|size| resize(picture, size, making.filter, making.order));
    let mut whole = brought.as_ref().unwrap_or(picture);
    let mut views = Vec::with_capacity(layout.views() as usize);
    let refined;
    if let Some(grid) = layout.grid {
        let Size { width, height } = grid.slice;
        let size = Size::new(width * grid.columns, height * grid.rows);
        refined = fitted(whole, size, making.slices, making);
        for row in 0..grid.rows {
            for column in 0..grid.columns {
                views.push(refined.crop(Rect { x: column * width, y: row * height, width, height }));
            }
        }
        if layout.via.is_some() {
            whole = &refined;
        }
    }
    views.push(fitted(whole, layout.overview, making.overview, making));
    views
}

/// The picture at another size, and perhaps of another aspect.
fn fitted(picture: &Rgb, size: Size, fit: Fit, making: &Making) -> Rgb {
    let resize = |picture: &Rgb, size| resize(picture, size, making.filter, making.order);
    match fit {
        Fit::Stretch => resize(picture, size),
        Fit::Pad(colour) => resize(&pad(picture, colour), size),
        Fit::Letterbox(colour) => {
            let inner = inside(picture.size(), size);
            let mut canvas = Rgb::filled(size, colour);
            canvas.paste(&resize(picture, inner), (size.width - inner.width) / 2, (size.height - inner.height) / 2);
            canvas
        }
        Fit::Crop => {
            let outer = around(picture.size(), size);
            let (x, y) = ((outer.width - size.width) / 2, (outer.height - size.height) / 2);
            resize(picture, outer).crop(Rect { x, y, width: size.width, height: size.height })
        }
    }
}

/// The largest size with the aspect of `picture` in `size`, rounded up.
fn inside(picture: Size, size: Size) -> Size {
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let scale = (f64::from(size.width) / width).min(f64::from(size.height) / height);
    let fit = |side: f64, most: u32| ((side * scale).ceil() as u32).clamp(1, most);
    Size::new(fit(width, size.width), fit(height, size.height))
}

/// The smallest size with the aspect of `picture` around the square `size`; the longer side rounded down, in whole numbers.
fn around(picture: Size, size: Size) -> Size {
    let (short, long) = (picture.width.min(picture.height).max(1), picture.width.max(picture.height));
    let long = (u64::from(size.width) * u64::from(long) / u64::from(short)) as u32;
    if picture.width <= picture.height { Size::new(size.width, long) } else { Size::new(long, size.height) }
}
