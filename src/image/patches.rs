//! A view cut into the patches that the vision encoder embeds.

use super::Rgb;
use crate::error::{Error, Result};

/// How pixels become numbers: `(value / 255 − mean) / std`, per channel, in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalise {
    /// Mean of red, green and blue on the scale 0…1.
    pub mean: [f32; 3],
    /// Standard deviation on the same scale.
    pub std: [f32; 3],
}

/// The patches of a view as rows `[n, 3·patch·patch]`, patches row-major over the view, each patch `[3][patch][patch]`
/// as a convolution's weight lays it out.
///
/// # Errors
/// An internal error when the sides of the view are not multiples of `patch`.
pub fn patch_rows(view: &Rgb, patch: u32, normalise: &Normalise) -> Result<Vec<f32>> {
    if patch == 0 || !view.width.is_multiple_of(patch) || !view.height.is_multiple_of(patch) {
        return Err(Error::internal(format!(
            "A view of {} × {} pixels does not divide into patches of {patch}; report this.",
            view.width, view.height
        )));
    }
    let tables = [0, 1, 2].map(|channel| levels(normalise.mean[channel], normalise.std[channel]));
    let (side, stride) = (patch as usize, view.width as usize * 3);
    let mut rows = Vec::with_capacity(view.pixels.len());
    for band in view.pixels.chunks_exact(stride * side) {
        for left in (0..stride).step_by(side * 3) {
            for (channel, table) in tables.iter().enumerate() {
                for line in band.chunks_exact(stride) {
                    let pixels = line[left..left + side * 3].chunks_exact(3);
                    rows.extend(pixels.map(|pixel| table[usize::from(pixel[channel])]));
                }
            }
        }
    }
    Ok(rows)
}

/// The normalised value of each of the 256 levels.
fn levels(mean: f32, std: f32) -> [f32; 256] {
    std::array::from_fn(|level| (level as f32 / 255.0 - mean) / std)
}
