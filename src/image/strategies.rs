//! The other ways to feed a picture to an encoder, for comparison with UHD slicing and for the examinations that show
//! where each goes wrong. No model of ours uses them.

use super::resize::{Filter, PassOrder, resize};
use super::{Rect, Rgb, Size};

/// What happens where a picture does not divide into whole tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastTile {
    /// The last tile moves inwards and shows again what its neighbour shows (GPT-4V, by all appearances).
    Overlap,
    /// The last tile shows what is left; the rest of it is zeros.
    Zero,
}

/// The size to which the GPT-4V rule shrinks a picture before it is tiled: into 2048 × 2048, then the shorter side to 768.
/// Nothing grows. Source: OpenAI's published price rule.
pub fn tiled_size(picture: Size) -> Size {
    let fit = |size: Size, side: u32, limit: u32| {
        let scale = |x: u32| (u64::from(x) * u64::from(limit) / u64::from(side)).max(1) as u32;
        if side > limit { Size::new(scale(size.width), scale(size.height)) } else { size }
    };
    let size = fit(picture, picture.width.max(picture.height), 2048);
    fit(size, size.width.min(size.height), 768)
}

/// The part of a picture that each tile of `side` × `side` shows, row by row.
pub fn tiles(picture: Size, side: u32, last: LastTile) -> Vec<Rect> {
    let spans = |length: u32| {
        let last_start = length.saturating_sub(side);
        (0..length.div_ceil(side)).map(move |i| match last {
            LastTile::Overlap => ((i * side).min(last_start), side.min(length)),
            LastTile::Zero => (i * side, side.min(length - i * side)),
        })
    };
    let row = |(y, height)| spans(picture.width).map(move |(x, width)| Rect { x, y, width, height });
    spans(picture.height).flat_map(row).collect()
}

/// The colour that encoders pad with: the mean they subtract, so that padding becomes zero.
/// Source: LLaVA `expand2square`.
pub fn pad_colour(mean: [f32; 3]) -> [u8; 3] {
    mean.map(|mean| (mean * 255.0) as u8)
}

/// The picture centred on a square of `colour`, as wide as its longer side (LLaVA-1.5). Of the square, only the shorter
/// side's share of the longer is picture.
pub fn pad(picture: &Rgb, colour: [u8; 3]) -> Rgb {
    let side = picture.width.max(picture.height);
    let mut square = Rgb::filled(Size::new(side, side), colour);
    square.paste(picture, (side - picture.width) / 2, (side - picture.height) / 2);
    square
}

/// The picture as a square of `side`, its aspect lost (CLIP without a crop).
pub fn stretch(picture: &Rgb, side: u32) -> Rgb {
    resize(picture, Size::new(side, side), Filter::Bicubic, PassOrder::BySize)
}
