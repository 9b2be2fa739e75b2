//! Draws a scene: the picture, and beside it which thing each pixel belongs to.

use tiny_skia::{FillRule, Mask, Path, Transform};

use super::colours::Rgb8;
use super::fonts::Fonts;
use super::labels::{self, Entity};
use super::scene::{Bounds, Scene, Text};
use super::{ground, shapes, wear};
use crate::image::{Rgb, Size};

/// A picture and the thing that each of its pixels shows.
pub struct Drawing {
    /// The picture.
    pub picture: Rgb,
    /// `[height, width]`: an index of `entities`.
    pub ids: Vec<u16>,
    /// What each id is; 0 is the background. The objects of the scene come first, in their order, then each character.
    pub entities: Vec<Entity>,
}

/// Draws `scene` with antialiased edges. The same scene gives the same bytes.
pub fn draw(scene: &Scene, fonts: &Fonts) -> Drawing {
    let size = Size::new(scene.width, scene.height);
    let mut canvas = Canvas {
        picture: ground::paint(size, &scene.background),
        ids: vec![0; size.area() as usize],
        entities: vec![Entity::default()],
    };
    // Objects are numbered first so that a recount from the ids need not know what else there is.
    for object in &scene.objects {
        canvas.entities.push(Entity {
            class: labels::SHAPE + object.shape as u8,
            colour: 1 + object.colour as u8,
            ..Entity::default()
        });
    }
    for area in &scene.areas {
        let id = canvas.add(Entity { class: labels::AREA, colour: 1 + area.colour as u8, ..Entity::default() });
        canvas.rectangle(area.bounds, area.rgb, id);
    }
    for text in &scene.texts {
        if let Some((colour, rgb, bounds)) = text.sign {
            let id = canvas.add(Entity { class: labels::AREA, colour: 1 + colour as u8, ..Entity::default() });
            canvas.rectangle(bounds, rgb, id);
        }
    }
    for (i, object) in scene.objects.iter().enumerate() {
        if let Some(path) = shapes::outline(object.shape) {
            let place = Transform::from_translate(object.x, object.y)
                .pre_concat(turned(object.turn))
                .pre_scale(object.r, object.r);
            canvas.fill(&path, place, object.rgb, Some(i as u16 + 1));
        }
    }
    for text in &scene.texts {
        canvas.letters(text, fonts);
    }
    wear::wear(&mut canvas.picture, &scene.wear);
    Drawing { picture: canvas.picture, ids: canvas.ids, entities: canvas.entities }
}

/// The turn by the angle whose half has tangent `t`.
fn turned(t: f32) -> Transform {
    let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
    Transform::from_row(cos, sin, -sin, cos, 0.0, 0.0)
}

struct Canvas {
    picture: Rgb,
    ids: Vec<u16>,
    entities: Vec<Entity>,
}

impl Canvas {
    fn add(&mut self, entity: Entity) -> u16 {
        self.entities.push(entity);
        (self.entities.len() - 1) as u16
    }

    /// Fills `path`, placed by `place`; where it covers at least half a pixel, the pixel becomes `id`'s.
    fn fill(&mut self, path: &Path, place: Transform, rgb: Rgb8, id: Option<u16>) {
        let Some(path) = path.clone().transform(place) else { return };
        let bounds = path.bounds();
        let left = (bounds.left().floor().max(0.0)) as u32;
        let top = (bounds.top().floor().max(0.0)) as u32;
        let right = (bounds.right().ceil().max(0.0) as u32).min(self.picture.width);
        let bottom = (bounds.bottom().ceil().max(0.0) as u32).min(self.picture.height);
        let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
        let Some(mut mask) = Mask::new(width, height) else { return };
        mask.fill_path(&path, FillRule::EvenOdd, true, Transform::from_translate(-(left as f32), -(top as f32)));
        for (y, row) in mask.data().chunks_exact(width as usize).enumerate() {
            let start = (top as usize + y) * self.picture.width as usize + left as usize;
            for (x, &cover) in row.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                let pixel = &mut self.picture.pixels[(start + x) * 3..][..3];
                for (value, &ink) in pixel.iter_mut().zip(&rgb) {
                    let (value_, ink, cover) = (u32::from(*value), u32::from(ink), u32::from(cover));
                    *value = ((value_ * (255 - cover) + ink * cover + 127) / 255) as u8;
                }
                if let Some(id) = id.filter(|_| cover >= 128) {
                    self.ids[start + x] = id;
                }
            }
        }
    }

    /// Fills a rectangle whose sides are rounded to whole pixels.
    fn rectangle(&mut self, bounds: Bounds, rgb: Rgb8, id: u16) {
        let [left, top, right, bottom] = self.whole(bounds);
        for y in top..bottom {
            let start = y * self.picture.width as usize;
            self.ids[start + left..start + right].fill(id);
            for pixel in self.picture.pixels[(start + left) * 3..(start + right) * 3].chunks_exact_mut(3) {
                pixel.copy_from_slice(&rgb);
            }
        }
    }

    fn whole(&self, [left, top, right, bottom]: Bounds) -> [usize; 4] {
        let clamp = |v: f32, most: u32| (v.round().max(0.0) as usize).min(most as usize);
        let (width, height) = (self.picture.width, self.picture.height);
        let (left, top) = (clamp(left, width), clamp(top, height));
        [left, top, clamp(right, width).max(left), clamp(bottom, height).max(top)]
    }

    /// Letters a line. A character owns the box of its advance and its height, because strokes are thinner than cells.
    fn letters(&mut self, text: &Text, fonts: &Fonts) {
        let middle = (text.x + text.width / 2.0, text.y - 0.35 * text.em);
        let turn = Transform::from_translate(middle.0, middle.1)
            .pre_concat(turned(text.turn))
            .pre_translate(-middle.0, -middle.1);
        let mut x = text.x;
        for c in text.text.chars() {
            let advance = fonts.advance(text.face, c) * text.em;
            if let Some(path) = fonts.outline(text.face, c) {
                self.fill(path, turn.pre_translate(x, text.y).pre_scale(text.em, text.em), text.rgb, None);
                let (above, below) = height(c);
                let id = self.add(Entity {
                    class: labels::GLYPH,
                    colour: 1 + text.colour as u8,
                    character: labels::character(c),
                    height: text.em,
                });
                let mut centre = tiny_skia::Point::from_xy(x + advance / 2.0, text.y + (below - above) / 2.0 * text.em);
                turn.map_point(&mut centre);
                let (half_width, half_height) = (advance / 2.0, (above + below) / 2.0 * text.em);
                let bounds = self.whole([
                    centre.x - half_width,
                    centre.y - half_height,
                    centre.x + half_width,
                    centre.y + half_height,
                ]);
                for y in bounds[1]..bounds[3] {
                    let start = y * self.picture.width as usize;
                    self.ids[start + bounds[0]..start + bounds[2]].fill(id);
                }
            }
            x += advance;
        }
    }
}

/// How far `c` reaches above and below the baseline, in em: near enough for labels in any face.
fn height(c: char) -> (f32, f32) {
    match c {
        'g' | 'p' | 'q' | 'y' => (0.54, 0.21),
        'j' => (0.72, 0.21),
        'Q' => (0.72, 0.1),
        'a' | 'c' | 'e' | 'm' | 'n' | 'o' | 'r' | 's' | 'u' | 'v' | 'w' | 'x' | 'z' => (0.54, 0.0),
        _ => (0.72, 0.0),
    }
}
