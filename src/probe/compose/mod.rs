//! Composes scenes: decides what is in a picture and where, so that every question about it has one right answer.

mod glyphs;
mod ground;
mod regions;
mod shapes;
mod text;

use super::colours::{HELD_OUT_PALETTES, Palette};
use super::fonts::Fonts;
use super::rng::Rng;
use super::scene::{Bounds, Family, Novelty, Scene, Wear};
use super::sizes;
use super::words::Words;
use crate::error::Result;
use crate::image::slice::Uhd;

/// Seeds from here on are held out: no training picture comes from them.
pub const HELD_OUT: u64 = 1 << 31;

/// What scenes are made from.
pub struct Kit {
    /// The faces.
    pub fonts: Fonts,
    /// The words.
    pub words: Words,
    /// How pictures will be cut, which decides how small things may be.
    pub slicing: Uhd,
    /// How often each of [`Family::ALL`] is drawn.
    pub weights: [f32; 5],
}

impl Kit {
    /// The committed fonts and words, the built-in model's slicing, and the usual mix without glyph pages.
    ///
    /// # Errors
    /// An internal error when a font does not parse.
    pub fn new() -> Result<Self> {
        let slicing = Uhd { area_side: 112, align: 14, max_slices: 4, ..Uhd::V1 };
        Ok(Self {
            fonts: Fonts::committed()?,
            words: Words::committed(),
            slicing,
            weights: [0.42, 0.2, 0.24, 0.14, 0.0],
        })
    }

    /// Mixes in `share` of glyph pages.
    pub fn with_glyphs(mut self, share: f32) -> Self {
        let rest: f32 = self.weights[..4].iter().sum();
        self.weights[Family::Glyphs as usize] = rest * share / (1.0 - share).max(1e-3);
        self
    }
}

/// What the parts of a composition share.
struct Draft<'a> {
    rng: Rng,
    kit: &'a Kit,
    scene: Scene,
    palette: Palette,
    held_out: bool,
    /// Columns and rows of the picture's finest view, all slices together, in pixels of the view.
    view: [f32; 2],
    /// Columns and rows of slices; one each where the picture is not cut.
    grid: [u32; 2],
}

/// The scene of `seed`. Seeds from [`HELD_OUT`] on use words, and some of them fonts or colour values, that others never do.
///
/// # Errors
/// Those of the slicer.
pub fn compose(seed: u64, kit: &Kit) -> Result<Scene> {
    let mut rng = Rng::new(seed, 1);
    let held_out = seed >= HELD_OUT;
    let novelty = match held_out.then(|| rng.weighted(&[0.6, 0.2, 0.2])) {
        Some(1) => Novelty::Fonts,
        Some(2) => Novelty::Palette,
        _ => Novelty::None,
    };
    let palette = match novelty {
        Novelty::Palette => Palette::HeldOut(rng.below(HELD_OUT_PALETTES)),
        _ => Palette::Train,
    };
    let (width, height) =
        if held_out { sizes::free(&mut rng, &kit.slicing) } else { sizes::training(&mut rng, &kit.slicing) };
    let layout = kit.slicing.layout(width, height)?;
    let grid = layout.grid.map_or([1, 1], |grid| [grid.columns, grid.rows]);
    let view = layout.grid.map_or([layout.overview.width, layout.overview.height], |grid| {
        [grid.slice.width * grid.columns, grid.slice.height * grid.rows]
    });
    let pixel = ((width * height) as f32 / (view[0] * view[1]) as f32).sqrt();
    let mut family = Family::ALL[rng.weighted(&kit.weights)];
    // No word fits a narrow strip, and none is legible in a thumbnail: those show shapes or areas.
    if (view[0] < 70 || pixel < 0.65) && matches!(family, Family::Text | Family::Mixed) {
        family = Family::Shapes;
    }
    let scene = Scene {
        seed,
        family,
        novelty,
        width,
        height,
        pixel,
        background: ground::plain_white(),
        areas: Vec::new(),
        objects: Vec::new(),
        texts: Vec::new(),
        wear: Wear::default(),
    };
    let mut draft = Draft { rng, kit, scene, palette, held_out, view: view.map(|v| v as f32), grid };
    draft.scene.background = draft.ground();
    match family {
        Family::Shapes => draft.shapes(10),
        Family::Text => draft.texts(),
        Family::Mixed => draft.mixed(),
        Family::Regions => draft.regions(),
        Family::Glyphs => draft.page(),
    }
    draft.scene.wear = draft.wear();
    Ok(draft.scene)
}

impl Draft<'_> {
    /// The whole picture less a margin of `inset` pixels of the view.
    fn inside(&self, inset: f32) -> Bounds {
        let inset = inset * self.scene.pixel;
        [inset, inset, self.scene.width as f32 - inset, self.scene.height as f32 - inset]
    }

    /// The shorter side in pixels of the view.
    fn short(&self) -> f32 {
        self.view[0].min(self.view[1])
    }

    /// A text, and shapes around it.
    fn mixed(&mut self) {
        let sign = self.rng.chance(0.25);
        let short = self.short();
        let most = if short < 40.0 { 0.6 * short } else { 28.0 };
        self.line(self.inside(2.0), most, sign);
        let most = if self.view[0] * self.view[1] < 16_000.0 { 5 } else { 8 };
        self.shapes(most);
    }

    fn wear(&mut self) -> Wear {
        let rng = &mut self.rng;
        let mut wear = Wear { seed: rng.bits(), ..Wear::default() };
        // A thumbnail has lost enough.
        if self.scene.pixel < 0.8 {
            wear.noise = if rng.chance(0.3) { rng.int(2, 8) } else { 0 };
            return wear;
        }
        if rng.chance(0.3) {
            wear.noise = rng.int(2, 14);
        }
        if rng.chance(0.15) {
            wear.jpeg = rng.range(4.0, 18.0);
        }
        // Soft focus scales with the picture: one pass on pixels no larger than the view's would blur the view itself.
        if rng.chance(0.15) {
            wear.blur = if self.scene.pixel >= 1.8 { 2 } else { 1 };
        }
        wear
    }
}
