//! Backgrounds, and inks that show on them.

use super::Draft;
use crate::probe::colours::{Colour, NAMES, Rgb8, distance, lightness};
use crate::probe::scene::{Background, Ground};

/// Shapes differ from their ground at least this much.
pub(super) const APART: f32 = 150.0;

/// Whether letters of `ink` can be read on `ground`: their strokes are thin, so light must differ as well as hue.
pub(super) fn legible(ink: Rgb8, ground: Rgb8) -> bool {
    distance(ink, ground) >= 200.0 && (lightness(ink) - lightness(ground)).abs() >= 65.0
}

/// A sheet of paper.
pub(super) fn plain_white() -> Background {
    Background { colour: Some(9), from: [255; 3], to: [255; 3], style: Ground::Plain }
}

impl Draft<'_> {
    /// A background. Half are of one of the named colours, mostly white, black and gray; the others are tints between
    /// the names, about whose colour nothing is asked.
    pub(super) fn ground(&mut self) -> Background {
        let style = match self.rng.weighted(&[0.5, 0.2, 0.3]) {
            0 => Ground::Plain,
            1 => Ground::Gradient { vertical: self.rng.chance(0.5) },
            _ => Ground::Texture { seed: self.rng.bits() },
        };
        if self.rng.chance(0.62) {
            // red, orange, yellow, green, blue, purple, pink, brown, black, white, gray
            let colour = self.rng.weighted(&[3.0, 3.0, 4.0, 4.0, 5.0, 3.0, 3.0, 3.0, 9.0, 18.0, 8.0]);
            let from = self.palette.value(colour, &mut self.rng);
            // The far end is a shade of the same name, so a gradient keeps it.
            let shade = self.rng.int(6, 22) * if self.rng.chance(0.5) { 1 } else { -1 };
            let to = from.map(|v| (i32::from(v) + shade).clamp(0, 255) as u8);
            return Background { colour: Some(colour), from, to, style };
        }
        // A tint: a pale or dark mixture, up to twice as far apart when it is a texture.
        let base = if self.rng.chance(0.65) { self.rng.int(165, 235) } else { self.rng.int(25, 80) };
        let reach = if matches!(style, Ground::Texture { .. }) { 34 } else { 18 };
        let mut tint = || [0; 3].map(|_| (base + self.rng.int(-reach, reach)).clamp(0, 255) as u8);
        Background { colour: None, from: tint(), to: tint(), style }
    }

    /// A value of `colour` that shows on the background, if there is one.
    pub(super) fn ink(&mut self, colour: Colour, apart: f32) -> Option<Rgb8> {
        let background = &self.scene.background;
        if background.colour == Some(colour) {
            return None;
        }
        let ends = background.ends();
        (0..3)
            .map(|_| self.palette.value(colour, &mut self.rng))
            .find(|&rgb| ends.iter().all(|&g| distance(rgb, g) >= apart))
    }

    /// The colours that show on the background, each with one value.
    pub(super) fn inks(&mut self, apart: f32) -> Vec<(Colour, Rgb8)> {
        (0..NAMES.len()).filter_map(|colour| Some((colour, self.ink(colour, apart)?))).collect()
    }

    /// A colour and value for letters on a ground between the values `on`; never the colour `not`.
    pub(super) fn letter_ink(&mut self, on: [Rgb8; 2], not: Option<Colour>) -> (Colour, Rgb8) {
        for _ in 0..40 {
            // red, orange, yellow, green, blue, purple, pink, brown, black, white, gray
            let colour = self.rng.weighted(&[3.0, 1.0, 2.0, 3.0, 4.0, 2.0, 1.0, 1.0, 10.0, 10.0, 0.5]);
            let rgb = self.palette.value(colour, &mut self.rng);
            if Some(colour) != not && on.iter().all(|&ground| legible(rgb, ground)) {
                return (colour, rgb);
            }
        }
        // On a middle gray only one of the ends is left.
        let colour = if lightness(on[0]) + lightness(on[1]) < 260.0 { 9 } else { 8 };
        (colour, self.palette.value(colour, &mut self.rng))
    }
}
