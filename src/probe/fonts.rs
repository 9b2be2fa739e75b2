//! Outlines and widths of the faces that scenes are lettered in.

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, OutlineBuilder};

use crate::error::{Error, Result};

/// A face reduced to what drawing ASCII needs, in units of the em, y down, baseline at 0.
struct Glyphs {
    outlines: Vec<Option<Path>>,
    advances: Vec<f32>,
}

const FIRST: u32 = 0x20;
const LAST: u32 = 0x7E;

/// The faces: first those of training, then those held out.
pub struct Fonts {
    faces: Vec<Glyphs>,
    train: usize,
}

macro_rules! faces {
    ($($path:literal),* $(,)?) => { [$(include_bytes!(concat!("../../assets/fonts/", $path)) as &[u8]),*] };
}

/// Faces of training and of ordinary tests.
const TRAIN: [&[u8]; 16] = faces![
    "train/caladea.ttf",
    "train/carlito-italic.ttf",
    "train/dejavu-mono-bold.ttf",
    "train/dejavu-sans-bold.ttf",
    "train/dejavu-sans.ttf",
    "train/dejavu-serif.ttf",
    "train/fira-code-medium.ttf",
    "train/lato-heavy.ttf",
    "train/lato.ttf",
    "train/liberation-mono.ttf",
    "train/liberation-sans-bold.ttf",
    "train/liberation-sans.ttf",
    "train/liberation-serif-bold.ttf",
    "train/liberation-serif.ttf",
    "train/open-sans-semibold.ttf",
    "train/quicksand-bold.ttf",
];

/// Faces of four families that training never sees.
const TEST: [&[u8]; 4] = faces![
    "test/cabin-semibold.otf",
    "test/comic-neue-bold.otf",
    "test/eb-garamond-bold.otf",
    "test/roboto-medium.ttf"
];

impl Fonts {
    /// The faces committed with the probe.
    ///
    /// # Errors
    /// An internal error when a face does not parse.
    pub fn committed() -> Result<Self> {
        Self::new(&TRAIN, &TEST)
    }

    /// Faces given as TrueType or OpenType bytes.
    ///
    /// # Errors
    /// An internal error when a face does not parse.
    pub fn new(train: &[&[u8]], test: &[&[u8]]) -> Result<Self> {
        let faces = train.iter().chain(test).map(|bytes| read(bytes)).collect::<Result<_>>()?;
        Ok(Self { faces, train: train.len() })
    }

    /// The indices of the training faces, or of those held out.
    pub fn part(&self, held_out: bool) -> std::ops::Range<usize> {
        if held_out { self.train..self.faces.len() } else { 0..self.train }
    }

    /// How far the pen moves after `c`, in em.
    pub fn advance(&self, face: usize, c: char) -> f32 {
        index(c).map_or(0.0, |i| self.faces[face].advances[i])
    }

    /// The width of `text` set in one line, in em.
    pub fn width(&self, face: usize, text: &str) -> f32 {
        text.chars().map(|c| self.advance(face, c)).sum()
    }

    /// The outline of `c`; none for a space.
    pub fn outline(&self, face: usize, c: char) -> Option<&Path> {
        self.faces[face].outlines[index(c)?].as_ref()
    }
}

fn index(c: char) -> Option<usize> {
    (FIRST..=LAST).contains(&(c as u32)).then(|| (c as u32 - FIRST) as usize)
}

fn read(bytes: &[u8]) -> Result<Glyphs> {
    let face = Face::parse(bytes, 0)
        .map_err(|e| Error::internal("A font of the probe does not parse; report this.").because(e))?;
    let em = 1.0 / f32::from(face.units_per_em());
    let mut glyphs = Glyphs { outlines: Vec::new(), advances: Vec::new() };
    for c in (FIRST..=LAST).filter_map(char::from_u32) {
        let glyph = face.glyph_index(c).unwrap_or_default();
        let mut pen = Pen { path: PathBuilder::new(), em };
        face.outline_glyph(glyph, &mut pen);
        glyphs.outlines.push(pen.path.finish());
        glyphs.advances.push(f32::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * em);
    }
    Ok(glyphs)
}

/// Scales to the em and turns y down.
struct Pen {
    path: PathBuilder,
    em: f32,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(x * self.em, -y * self.em);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(x * self.em, -y * self.em);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(x1 * self.em, -y1 * self.em, x * self.em, -y * self.em);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(x1 * self.em, -y1 * self.em, x2 * self.em, -y2 * self.em, x * self.em, -y * self.em);
    }
    fn close(&mut self) {
        self.path.close();
    }
}
