//! Pages full of characters.

use super::Draft;
use crate::probe::scene::{Novelty, Text};

impl Draft<'_> {
    /// Fills the picture with lines of words, numbers and letters, each line in a face and size of its own.
    pub(super) fn page(&mut self) {
        let pixel = self.scene.pixel;
        let bounds = self.inside(1.0);
        let faces = self.kit.fonts.part(self.held_out && self.scene.novelty == Novelty::Fonts);
        // Ids are 16-bit and pages of large pictures long: 400 characters are enough to learn from.
        let mut characters = 0;
        let mut top = bounds[1] + self.rng.range(0.0, 4.0) * pixel;
        while characters < 400 {
            let largest = if self.rng.chance(0.2) { 40.0 } else { 25.0 };
            let em = pixel * self.rng.range(13.0, largest);
            if top + 1.02 * em > bounds[3] {
                break;
            }
            let face = faces.start + self.rng.below(faces.len());
            let background = self.scene.background.clone();
            let (colour, rgb) = self.letter_ink(background.ends(), background.colour);
            let mut x = bounds[0] + self.rng.range(0.0, 10.0) * pixel;
            loop {
                let text = self.kit.words.draw(&mut self.rng, self.held_out, 6);
                let width = self.kit.fonts.width(face, &text) * em;
                if x + width > bounds[2] {
                    break;
                }
                characters += text.len();
                let y = top + 0.78 * em;
                self.scene.texts.push(Text { text, face, em, colour, rgb, x, y, width, turn: 0.0, sign: None });
                x += width + em * self.rng.range(0.25, 0.9);
            }
            top += em * self.rng.range(1.02, 1.3);
        }
    }
}
