//! Sets words and numbers.

use super::Draft;
use super::ground::APART;
use crate::probe::colours::{Colour, Rgb8};
use crate::probe::scene::{Bounds, Novelty, Text};

/// Smallest em, in pixels of the view: capitals of 10 pixels, small letters of 8.
const SMALLEST: f32 = 15.0;

impl Draft<'_> {
    /// One to three lines.
    pub(super) fn texts(&mut self) {
        let bounds = self.inside(2.0);
        let fits = (self.view[1] / 30.0) as usize;
        let lines = 1 + self.rng.weighted(&[0.62, 0.26, 0.12][..fits.clamp(1, 3)]);
        let largest = if self.short() < 40.0 { 0.8 * self.short() } else { 40.0 };
        if lines == 1 {
            let sign = self.rng.chance(0.35);
            self.line(bounds, largest, sign);
            return;
        }
        // Each line has a band of its own, so that first and last, top and bottom are plain.
        let height = (bounds[3] - bounds[1]) / lines as f32;
        for i in 0..lines {
            let top = bounds[1] + height * i as f32;
            let most = largest.min(height / self.scene.pixel / 1.15);
            self.line([bounds[0], top, bounds[2], top + height], most, false);
        }
    }

    /// A word or number inside `bounds`, of at most `largest` pixels of the view an em, on a sign if `sign`.
    pub(super) fn line(&mut self, bounds: Bounds, largest: f32, sign: bool) {
        let pixel = self.scene.pixel;
        let (width, height) = ((bounds[2] - bounds[0]) / pixel, (bounds[3] - bounds[1]) / pixel);
        let fonts = &self.kit.fonts;
        let faces = fonts.part(self.held_out && self.scene.novelty == Novelty::Fonts);
        let face = faces.start + self.rng.below(faces.len());
        let padding = if sign { 0.45 } else { 0.0 };
        let tallest = largest.min(height / (1.06 + 2.0 * padding));
        // The word must fit at the smallest size; long ones may not.
        let mut text = self.kit.words.draw(&mut self.rng, self.held_out, 6);
        let mut reach = fonts.width(face, &text) + 2.0 * padding;
        for most in (1..6).rev() {
            if reach * SMALLEST <= width {
                break;
            }
            text = self.kit.words.draw(&mut self.rng, self.held_out, most);
            reach = fonts.width(face, &text) + 2.0 * padding;
        }
        let most = tallest.min(width / reach);
        if most < SMALLEST * 0.9 || self.scene.texts.iter().any(|t| t.text.eq_ignore_ascii_case(&text)) {
            return;
        }
        // Squaring prefers sizes near the smaller end of what fits.
        let cut = self.grid != [1, 1];
        let centred = self.rng.chance(if cut { 0.12 } else { 0.33 });
        // Only the overview shows a centred line uncut, at half the size.
        let u = if cut && centred { 1.0 } else { self.rng.unit() };
        let em = pixel * (SMALLEST.min(most) + (most - SMALLEST.min(most)) * u * u.sqrt());
        let turned = !sign && most > 20.0 && self.rng.chance(0.15);
        let turn = if turned { self.rng.range(-0.05, 0.05) } else { 0.0 };
        let wide = fonts.width(face, &text) * em;
        let slack = wide * turn.abs();
        let pad = padding * em;
        let (low_x, high_x) = (bounds[0] + pad, bounds[2] - wide - pad);
        let (low_y, high_y) = (bounds[1] + 0.78 * em + pad + slack, bounds[3] - 0.24 * em - pad - slack);
        // People centre what they photograph; but half a letter is no letter, so most other lines keep clear of the
        // borders between slices where they can.
        let (mut x, mut y) = ((low_x + high_x) / 2.0, (low_y + high_y) / 2.0);
        if !centred {
            let tries = if self.rng.chance(0.8) { 24 } else { 1 };
            let mut fewest = usize::MAX;
            for _ in 0..tries {
                let at =
                    (self.rng.range(low_x, high_x.max(low_x + 0.1)), self.rng.range(low_y, high_y.max(low_y + 0.1)));
                let cuts = self.cuts([at.0, at.1 - 0.75 * em - slack, at.0 + wide, at.1 + 0.22 * em + slack]);
                if cuts < fewest {
                    (fewest, (x, y)) = (cuts, at);
                }
            }
        }
        let mut line = Text { text, face, em, colour: 0, rgb: [0; 3], x, y, width: wide, turn, sign: None };
        let background = self.scene.background.clone();
        if sign {
            let [left, top, right, bottom] = line.bounds();
            let Some((colour, rgb)) = self.board() else { return };
            line.sign = Some((colour, rgb, [left - pad, top - pad * 0.7, right + pad, bottom + pad * 0.7]));
            (line.colour, line.rgb) = self.letter_ink([rgb; 2], Some(colour));
        } else {
            (line.colour, line.rgb) = self.letter_ink(background.ends(), background.colour);
        }
        self.scene.texts.push(line);
    }

    /// How badly the borders between slices cut `bounds`: one through the height of a line spoils all its letters.
    fn cuts(&self, bounds: Bounds) -> usize {
        let between = |n: u32, side: u32, low: f32, high: f32| {
            (1..n).map(|i| (i * side) as f32 / n as f32).filter(|cut| (low..high).contains(cut)).count()
        };
        let [columns, rows] = self.grid;
        let [left, top, right, bottom] = bounds;
        between(columns, self.scene.width, left, right) + 4 * between(rows, self.scene.height, top, bottom)
    }

    /// A colour for a sign: any that shows on the ground.
    fn board(&mut self) -> Option<(Colour, Rgb8)> {
        let inks = self.inks(APART);
        (!inks.is_empty()).then(|| *self.rng.pick(&inks))
    }
}
