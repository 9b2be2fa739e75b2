//! What each 7-pixel cell of a view shows: the dense labels that teach the vision encoder.

use serde::Serialize;

use super::raster::Drawing;
use super::{colours, shapes};
use crate::image::Size;
use crate::image::slice::Layout;

/// Side of a cell in pixels of a view: half a patch, fine enough to separate characters.
pub const CELL: u32 = 7;

/// Class of the first shape; the others follow in their order. Class 0 is the background.
pub const SHAPE: u8 = 1;
/// Class of characters.
pub const GLYPH: u8 = SHAPE + shapes::NAMES.len() as u8;
/// Class of areas and signs.
pub const AREA: u8 = GLYPH + 1;

/// A character smaller than this many pixels an em in a view cannot be read, and is labelled as a glyph only.
const LEGIBLE: f32 = 9.0;

/// One thing of a picture, as labels see it; the default is the background.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entity {
    /// Class.
    pub class: u8,
    /// 1 + the colour; 0 for none.
    pub colour: u8,
    /// See [`character`].
    pub character: u8,
    /// For a character, pixels an em in the picture.
    pub height: f32,
}

/// The label of a character: digits from 1, letters of either case from 11; 0 for all others.
pub fn character(c: char) -> u8 {
    match c {
        '0'..='9' => 1 + (c as u8 - b'0'),
        'a'..='z' => 11 + (c as u8 - b'a'),
        'A'..='Z' => 11 + (c as u8 - b'A'),
        _ => 0,
    }
}

/// The names of all labels, in the order of their numbers.
#[derive(Debug, Serialize)]
pub struct Names {
    /// Classes.
    pub classes: Vec<String>,
    /// Colours.
    pub colours: Vec<String>,
    /// Characters.
    pub characters: Vec<String>,
}

/// The names of all labels.
pub fn names() -> Names {
    let list =
        |first: &str, rest: &[&str]| std::iter::once(first).chain(rest.iter().copied()).map(String::from).collect();
    let mut classes: Vec<String> = list("none", &shapes::NAMES);
    classes.extend(["glyph".into(), "area".into()]);
    let characters = ('0'..='9').chain('a'..='z').map(String::from);
    Names {
        classes,
        colours: list("none", &colours::NAMES),
        characters: std::iter::once("none".into()).chain(characters).collect(),
    }
}

/// The labels of all views of a drawing in prompt order, each `[2h/14, 2w/14, 3]`: class, colour, character of the thing
/// that covers most of the cell, if it covers a quarter.
pub fn cells(drawing: &Drawing, layout: &Layout) -> Vec<Vec<u8>> {
    let mut views = Vec::new();
    if let Some(grid) = layout.grid {
        let whole = Size::new(grid.slice.width * grid.columns, grid.slice.height * grid.rows);
        for row in 0..grid.rows {
            for column in 0..grid.columns {
                views.push(view(drawing, whole, (column * grid.slice.width, row * grid.slice.height), grid.slice));
            }
        }
    }
    views.push(view(drawing, layout.overview, (0, 0), layout.overview));
    views
}

/// Labels of the part `size` at `offset` of the picture resized to `whole`.
fn view(drawing: &Drawing, whole: Size, offset: (u32, u32), size: Size) -> Vec<u8> {
    let picture = drawing.picture.size();
    let source = |start: u32, n: u32, to: u32, from: u32| -> Vec<usize> {
        (0..n).map(|i| (u64::from(2 * (start + i) + 1) * u64::from(from) / u64::from(2 * to)) as usize).collect()
    };
    let columns = source(offset.0, size.width, whole.width, picture.width);
    let rows = source(offset.1, size.height, whole.height, picture.height);
    let scale = whole.height as f32 / picture.height as f32;
    let side = CELL as usize;
    let mut labels = Vec::with_capacity((size.area() / 49 * 3) as usize);
    let mut seen: Vec<(u16, u32)> = Vec::new();
    for cell_rows in rows.chunks_exact(side) {
        for cell_columns in columns.chunks_exact(side) {
            seen.clear();
            for &y in cell_rows {
                let line = &drawing.ids[y * picture.width as usize..][..picture.width as usize];
                for &x in cell_columns {
                    match seen.iter_mut().find(|(id, _)| *id == line[x]) {
                        Some((_, n)) => *n += 1,
                        None => seen.push((line[x], 1)),
                    }
                }
            }
            let most = seen.iter().filter(|(id, n)| *id != 0 && *n * 4 >= CELL * CELL).max_by_key(|(id, n)| (*n, *id));
            let entity = most.map_or(Entity::default(), |(id, _)| drawing.entities[usize::from(*id)]);
            let character = if entity.height * scale >= LEGIBLE { entity.character } else { 0 };
            labels.extend([entity.class, entity.colour, character]);
        }
    }
    labels
}
