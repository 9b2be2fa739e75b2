//! Places coloured shapes so that none hides or touches another.

use super::Draft;
use super::ground::APART;
use crate::probe::colours::Colour;
use crate::probe::scene::{Bounds, Object};
use crate::probe::shapes::{NAMES, Shape};

/// What the shapes of a scene have in common, so that counts are not always one.
#[derive(Clone, Copy)]
enum Focus {
    Nothing,
    Shape(Shape),
    Colour(Colour),
    Both(Shape, Colour),
}

impl Draft<'_> {
    /// Up to `most` shapes (a few more where only some of them will be counted), anywhere free.
    pub(super) fn shapes(&mut self, most: usize) {
        let colours: Vec<Colour> = self.inks(APART).into_iter().map(|(colour, _)| colour).collect();
        if colours.is_empty() {
            return;
        }
        let kinds = self.kinds(&colours, most);
        let bounds = self.inside(1.5);
        self.place(&kinds, bounds);
    }

    /// Shapes and colours to place: `focus` ones, as many as a number drawn evenly, and others that differ from them.
    fn kinds(&mut self, colours: &[Colour], most: usize) -> Vec<(Shape, Colour)> {
        let rng = &mut self.rng;
        let shape = rng.below(NAMES.len());
        let colour = *rng.pick(colours);
        let focus = match rng.weighted(&[0.34, 0.26, 0.22, 0.18]) {
            0 => Focus::Nothing,
            1 => Focus::Shape(shape),
            2 => Focus::Colour(colour),
            _ => Focus::Both(shape, colour),
        };
        let wanted = rng.below(most.min(9) + 1);
        if let Focus::Nothing = focus {
            return (0..wanted).map(|_| (rng.below(NAMES.len()), *rng.pick(colours))).collect();
        }
        let others = rng.below((most + 2 - wanted).clamp(1, 5));
        let mut kinds = Vec::new();
        while kinds.len() < wanted {
            kinds.push(match focus {
                Focus::Shape(shape) => (shape, *rng.pick(colours)),
                Focus::Colour(colour) => (rng.below(NAMES.len()), colour),
                _ => (shape, colour),
            });
        }
        let mut tries = 0;
        while kinds.len() < wanted + others && tries < 100 {
            tries += 1;
            let mut kind = (rng.below(NAMES.len()), *rng.pick(colours));
            // Near misses share one half with what is counted.
            if let Focus::Both(shape, colour) = focus
                && rng.chance(0.6)
            {
                if rng.chance(0.5) { kind.0 = shape } else { kind.1 = colour }
            }
            let counted = match focus {
                Focus::Shape(shape) => kind.0 == shape,
                Focus::Colour(colour) => kind.1 == colour,
                _ => kind == (shape, colour),
            };
            if !counted {
                kinds.push(kind);
            }
        }
        rng.shuffle(&mut kinds);
        kinds
    }

    /// Puts `kinds` into `bounds`, spread or clustered, smaller if they do not fit; what never fits is left out.
    fn place(&mut self, kinds: &[(Shape, Colour)], bounds: Bounds) {
        let (short, pixel) = (self.short(), self.scene.pixel);
        let smallest = 6.8f32.max(0.06 * short).min(14.0);
        let room = (self.view[0] * self.view[1] / (kinds.len().max(1) as f32) * 0.16).sqrt();
        let largest = if short < 70.0 { 0.36 * short } else { 0.175 * short };
        let largest = largest.min(room).max(smallest + 0.5);
        let clustered = kinds.len() >= 2 && self.rng.chance(0.25);
        let alike = self.rng.chance(0.35);
        let common = self.rng.range(smallest, largest);
        // One shape that stands out makes "largest" and "smallest" answerable.
        let giant = (kinds.len() >= 2 && self.rng.chance(0.3)).then(|| self.rng.below(kinds.len()));
        let mut radii: Vec<f32> = kinds
            .iter()
            .map(|_| if alike { common * self.rng.range(0.94, 1.06) } else { self.rng.range(smallest, largest) })
            .collect();
        if let Some(giant) = giant {
            let (low, high) = (smallest * 0.98, largest);
            for (i, r) in radii.iter_mut().enumerate() {
                *r = if i == giant { high } else { low.max(r.min(high / 1.5)) };
            }
        } else if clustered {
            radii.iter_mut().for_each(|r| *r = smallest + (*r - smallest) * 0.4);
        }
        let home = if clustered { self.cluster(&radii, bounds) } else { bounds };
        for (&(shape, colour), r) in kinds.iter().zip(radii) {
            let Some(rgb) = self.ink(colour, APART) else { continue };
            for attempt in 0..60 {
                let r = pixel * if attempt < 30 { r } else { smallest.min(r) };
                let home = if attempt < 45 { home } else { bounds };
                let x = self.rng.range(home[0] + r, (home[2] - r).max(home[0] + r + 0.1));
                let y = self.rng.range(home[1] + r, (home[3] - r).max(home[1] + r + 0.1));
                let gap = pixel * if clustered { 1.5 } else { 2.5 };
                if self.free(x, y, r, gap, bounds) {
                    let turn = if self.rng.chance(0.3) { self.rng.range(-0.08, 0.08) } else { 0.0 };
                    self.scene.objects.push(Object { shape, colour, rgb, x, y, r, turn });
                    break;
                }
            }
        }
    }

    /// A box for all the circles of `radii`, as tight as random placing fills.
    fn cluster(&mut self, radii: &[f32], bounds: Bounds) -> Bounds {
        let pixel = self.scene.pixel;
        let area: f32 = radii.iter().map(|r| (2.0 * (r + 1.0) * pixel) * (2.0 * (r + 1.0) * pixel)).sum();
        let side = (area * 1.9).sqrt();
        let (width, height) = (side.min(bounds[2] - bounds[0]), side.min(bounds[3] - bounds[1]));
        let left = self.rng.range(bounds[0], (bounds[2] - width).max(bounds[0] + 0.1));
        let top = self.rng.range(bounds[1], (bounds[3] - height).max(bounds[1] + 0.1));
        [left, top, left + width, top + height]
    }

    fn free(&self, x: f32, y: f32, r: f32, gap: f32, within: Bounds) -> bool {
        let inside = x - r >= within[0] && x + r <= within[2] && y - r >= within[1] && y + r <= within[3];
        let objects = self.scene.objects.iter().all(|o| {
            let (dx, dy, reach) = (x - o.x, y - o.y, (r + o.r) * 1.04 + gap);
            dx * dx + dy * dy >= reach * reach
        });
        let texts = self.scene.texts.iter().all(|text| {
            let [left, top, right, bottom] = text.sign.map_or(text.bounds(), |(_, _, bounds)| bounds);
            // A turned line reaches above and below by its tangent.
            let slack = gap + text.width * text.turn.abs();
            let (dx, dy) = (x - x.clamp(left, right), y - y.clamp(top - slack, bottom + slack));
            dx * dx + dy * dy >= (r + gap) * (r + gap)
        });
        let areas = self.scene.areas.iter().all(|area| {
            let [left, top, right, bottom] = area.bounds;
            let (dx, dy) = (x - x.clamp(left, right), y - y.clamp(top, bottom));
            dx * dx + dy * dy >= (r + gap) * (r + gap)
        });
        inside && objects && texts && areas
    }
}
