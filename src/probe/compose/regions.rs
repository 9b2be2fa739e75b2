//! Arranges areas of colour: stripes, borders, quarters.

use super::Draft;
use super::ground::APART;
use crate::probe::colours::{Colour, NAMES, Rgb8, distance};
use crate::probe::scene::{Area, Bounds, Place};

impl Draft<'_> {
    /// Stripes that fill the picture, borders around some shapes, or quarters.
    pub(super) fn regions(&mut self) {
        let [width, height] = [self.scene.width as f32, self.scene.height as f32];
        match self.rng.weighted(&[0.45, 0.35, 0.2]) {
            0 => {
                // Stripes stay at least 12 pixels of the view wide.
                let columns = self.rng.chance(0.5 + 0.25 * (width / height - 1.0).clamp(-1.0, 1.0));
                let room = if columns { self.view[0] } else { self.view[1] };
                let count = 2 + self.rng.below(((room / 13.0) as usize).clamp(2, 6) - 1);
                let mut cuts = vec![0.0];
                let weights: Vec<f32> = (0..count).map(|_| self.rng.range(1.0, 2.2)).collect();
                let sum: f32 = weights.iter().sum();
                weights.iter().for_each(|w| cuts.push(cuts[cuts.len() - 1] + w / sum));
                let areas = (0..count).map(|index| {
                    if columns {
                        (Place::Column { index, count }, [cuts[index] * width, 0.0, cuts[index + 1] * width, height])
                    } else {
                        (Place::Row { index, count }, [0.0, cuts[index] * height, width, cuts[index + 1] * height])
                    }
                });
                self.paint(areas.collect());
            }
            1 => {
                let side = (self.short() * self.rng.range(0.12, 0.2)).max(8.0) * self.scene.pixel;
                let mut borders = vec![
                    (Place::Border(0), [0.0, 0.0, side, height]),
                    (Place::Border(1), [width - side, 0.0, width, height]),
                    (Place::Border(2), [0.0, 0.0, width, side]),
                    (Place::Border(3), [0.0, height - side, width, height]),
                ];
                // Which of two borders owns their corner is left to chance.
                self.rng.shuffle(&mut borders);
                self.paint(borders);
                if self.short() > 70.0 {
                    self.shapes(4);
                }
            }
            _ => {
                let x = width * self.rng.range(0.4, 0.6);
                let y = height * self.rng.range(0.4, 0.6);
                self.paint(vec![
                    (Place::Corner(0), [0.0, 0.0, x, y]),
                    (Place::Corner(1), [x, 0.0, width, y]),
                    (Place::Corner(2), [0.0, y, x, height]),
                    (Place::Corner(3), [x, y, width, height]),
                ]);
            }
        }
    }

    /// Gives each area a colour of its own, apart from the others and from the ground.
    fn paint(&mut self, areas: Vec<(Place, Bounds)>) {
        let ground = matches!(areas[0].0, Place::Border(_));
        let mut taken: Vec<(Colour, Rgb8)> = Vec::new();
        for (place, bounds) in areas {
            for _ in 0..60 {
                let colour = self.rng.below(NAMES.len());
                let rgb =
                    if ground { self.ink(colour, APART) } else { Some(self.palette.value(colour, &mut self.rng)) };
                let Some(rgb) = rgb else { continue };
                if taken.iter().all(|&(name, value)| name != colour && distance(value, rgb) >= 120.0) {
                    taken.push((colour, rgb));
                    self.scene.areas.push(Area { place, colour, rgb, bounds });
                    break;
                }
            }
        }
    }
}
