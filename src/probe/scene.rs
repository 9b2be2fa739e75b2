//! A scene: what is in a picture, before it is drawn. Lengths are pixels of the picture unless said otherwise.

use super::colours::{Colour, Rgb8};
use super::shapes::Shape;

/// What a picture mostly shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Coloured shapes.
    Shapes,
    /// One to three words and numbers.
    Text,
    /// Shapes and a word or number.
    Mixed,
    /// Stripes, borders and quarters of colour.
    Regions,
    /// Pages full of characters, for learning to see them.
    Glyphs,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 5] = [Self::Shapes, Self::Text, Self::Mixed, Self::Regions, Self::Glyphs];

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        ["shapes", "text", "mixed", "regions", "glyphs"][self as usize]
    }
}

/// What a held-out scene has that training never had. Words held out of training are in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Novelty {
    /// Nothing else.
    None,
    /// The fonts.
    Fonts,
    /// The colour values.
    Palette,
}

impl Novelty {
    /// The name in records and reports.
    pub fn name(self) -> &'static str {
        ["ordinary", "new fonts", "new palette"][self as usize]
    }
}

/// The ground behind everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    /// Its colour, where the whole ground would be called by one name.
    pub colour: Option<Colour>,
    /// The values it lies between.
    pub from: Rgb8,
    /// See `from`.
    pub to: Rgb8,
    /// How it moves between them.
    pub style: Ground,
}

impl Background {
    /// The values everything on it must differ from.
    pub fn ends(&self) -> [Rgb8; 2] {
        if self.style == Ground::Plain { [self.from; 2] } else { [self.from, self.to] }
    }
}

/// How a background varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// `from` everywhere.
    Plain,
    /// From one side to the other: left to right, or top to bottom.
    Gradient {
        /// Top to bottom.
        vertical: bool,
    },
    /// Smooth noise of several octaves, as out-of-focus photographs have; the seed of its lattice.
    Texture {
        /// Seed of the lattice.
        seed: u64,
    },
}

/// A coloured shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Which shape.
    pub shape: Shape,
    /// Its colour's name.
    pub colour: Colour,
    /// Its colour.
    pub rgb: Rgb8,
    /// Centre, from the left.
    pub x: f32,
    /// Centre, from the top.
    pub y: f32,
    /// Radius of the circle around it.
    pub r: f32,
    /// Tangent of half the angle it is turned by: no cosine, whose last bit differs between machines.
    pub turn: f32,
}

/// An upright rectangle, `[left, top, right, bottom]`.
pub type Bounds = [f32; 4];

/// A rectangle of one colour that questions name by its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Which part of the arrangement it is.
    pub place: Place,
    /// Its colour's name.
    pub colour: Colour,
    /// Its colour.
    pub rgb: Rgb8,
    /// Where it lies.
    pub bounds: Bounds,
}

/// The part an area plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Stripe `index` of `count`, counted from the left.
    Column {
        /// From the left, from 0.
        index: usize,
        /// Stripes in all.
        count: usize,
    },
    /// Stripe `index` of `count`, counted from the top.
    Row {
        /// From the top, from 0.
        index: usize,
        /// Stripes in all.
        count: usize,
    },
    /// The border along a side: 0 left, 1 right, 2 top, 3 bottom.
    Border(usize),
    /// A quarter: 0 top left, 1 top right, 2 bottom left, 3 bottom right.
    Corner(usize),
}

/// A word or number.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// As it is drawn.
    pub text: String,
    /// Face, an index of the fonts.
    pub face: usize,
    /// Size: pixels an em.
    pub em: f32,
    /// Its colour's name.
    pub colour: Colour,
    /// Its colour.
    pub rgb: Rgb8,
    /// Where the pen starts.
    pub x: f32,
    /// The baseline.
    pub y: f32,
    /// Width of the line.
    pub width: f32,
    /// See [`Object::turn`]; about the middle of the line.
    pub turn: f32,
    /// The board behind it: name, colour, place.
    pub sign: Option<(Colour, Rgb8, Bounds)>,
}

impl Text {
    /// Whether it is made of digits alone.
    pub fn is_number(&self) -> bool {
        self.text.bytes().all(|b| b.is_ascii_digit())
    }

    /// The upright rectangle that its ascenders and descenders reach; turning is not reckoned with.
    pub fn bounds(&self) -> Bounds {
        [self.x, self.y - 0.78 * self.em, self.x + self.width, self.y + 0.24 * self.em]
    }
}

/// What the picture suffered after it was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wear {
    /// Half the range of uniform noise, in levels.
    pub noise: i32,
    /// Seed of the noise.
    pub seed: u64,
    /// Blurs with a 3 × 3 kernel, this many times.
    pub blur: u32,
    /// Step of a JPEG-like quantiser, in levels; 0 leaves the picture.
    pub jpeg: f32,
}

/// Everything a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The seed it came from.
    pub seed: u64,
    /// What it mostly shows.
    pub family: Family,
    /// What training never had.
    pub novelty: Novelty,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels of the picture for each pixel of its finest views.
    pub pixel: f32,
    /// The ground.
    pub background: Background,
    /// Areas of colour.
    pub areas: Vec<Area>,
    /// Shapes; none overlaps another or a text.
    pub objects: Vec<Object>,
    /// Words and numbers.
    pub texts: Vec<Text>,
    /// What the picture suffered.
    pub wear: Wear,
}
