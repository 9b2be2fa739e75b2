//! The pixels of a picture's views.

use super::resize::{Filter, PassOrder, resize};
use super::slice::{Fit, Layout};
use super::{Rect, Rgb, Size};

/// The views that `layout` describes, in the order in which prompts name them: the slices row by row, then the overview.
/// The slices are cut from one enlarged or reduced picture; the overview is made from the picture itself. Bicubic.
pub fn views(picture: &Rgb, layout: &Layout, order: PassOrder) -> Vec<Rgb> {
    let mut views = Vec::with_capacity(layout.views() as usize);
    if let Some(grid) = layout.grid {
        let Size { width, height } = grid.slice;
        let whole = Size::new(width * grid.columns, height * grid.rows);
        let refined = match layout.fit {
            Fit::Stretch => resize(picture, whole, Filter::Bicubic, order),
            Fit::Letterbox => letterbox(picture, whole, order),
        };
        for row in 0..grid.rows {
            for column in 0..grid.columns {
                views.push(refined.crop(Rect { x: column * width, y: row * height, width, height }));
            }
        }
    }
    views.push(resize(picture, layout.overview, Filter::Bicubic, order));
    views
}

/// The picture as large as `size` holds it, centred on black.
fn letterbox(picture: &Rgb, size: Size, order: PassOrder) -> Rgb {
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let scale = (f64::from(size.width) / width).min(f64::from(size.height) / height);
    let inner = Size::new(
        ((width * scale).ceil() as u32).clamp(1, size.width),
        ((height * scale).ceil() as u32).clamp(1, size.height),
    );
    let mut canvas = Rgb::filled(size, [0; 3]);
    let picture = resize(picture, inner, Filter::Bicubic, order);
    canvas.paste(&picture, (size.width - inner.width) / 2, (size.height - inner.height) / 2);
    canvas
}
