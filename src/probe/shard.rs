//! Records of the training stream: a picture's views as the model will see them, their labels, and its questions.
//!
//! A record is three little-endian u32 (magic, bytes of JSON, bytes of pixels and labels), the JSON, then each view's
//! `[h, w, 3]` RGB in prompt order, then each view's `[2h/14, 2w/14, 3]` labels. Views come from Loupe's own slicer and
//! resizer, so training and inference see the same pixels.

use std::io::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::compose::{Kit, compose};
use super::labels;
use super::questions::{Entry, ask};
use super::raster::{Drawing, draw};
use super::scene::Scene;
use crate::error::{Error, Result};
use crate::image::Rgb;
use crate::image::slice::Layout;
use crate::image::views::views;

/// "LOUP" in the order of its bytes.
pub const MAGIC: u32 = 0x5055_4F4C;

/// A scene and everything made from it.
pub struct Sample {
    /// The scene.
    pub scene: Scene,
    /// Its picture.
    pub drawing: Drawing,
    /// How the picture is cut.
    pub layout: Layout,
    /// The views in prompt order.
    pub views: Vec<Rgb>,
    /// What is asked about it.
    pub entries: Vec<Entry>,
}

impl Sample {
    /// Everything of `seed`.
    ///
    /// # Errors
    /// Those of the slicer.
    pub fn new(seed: u64, kit: &Kit) -> Result<Self> {
        let scene = compose(seed, kit)?;
        let drawing = draw(&scene, &kit.fonts);
        let layout = kit.slicing.layout(scene.width, scene.height)?;
        let views = views(&drawing.picture, &layout);
        let entries = ask(&scene);
        Ok(Self { scene, drawing, layout, views, entries })
    }

    /// SHA-256 of the picture's size, pixels and conversations.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.scene.width.to_le_bytes());
        hasher.update(&self.drawing.picture.pixels);
        for turn in self.entries.iter().flat_map(|entry| &entry.turns).flatten() {
            hasher.update(turn);
            hasher.update([0]);
        }
        hasher.finalize().into()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    seed: u64,
    family: &'static str,
    novelty: &'static str,
    width: u32,
    height: u32,
    grid: [u32; 2],
    views: Vec<[u32; 2]>,
    qa: &'a [Entry],
}

/// Writes the record of `sample`.
///
/// # Errors
/// A usage error when `out` does not take it.
pub fn write(sample: &Sample, out: &mut impl Write) -> Result<()> {
    let header = Header {
        seed: sample.scene.seed,
        family: sample.scene.family.name(),
        novelty: sample.scene.novelty.name(),
        width: sample.scene.width,
        height: sample.scene.height,
        grid: sample.layout.grid.map_or([0, 0], |grid| [grid.columns, grid.rows]),
        views: sample.views.iter().map(|view| [view.width, view.height]).collect(),
        qa: &sample.entries,
    };
    let fail = |e: std::io::Error| Error::usage("The scenes cannot be written; check the place they go to.").because(e);
    let json =
        serde_json::to_vec(&header).map_err(|e| Error::internal("A scene has no record; report this.").because(e))?;
    let labels = labels::cells(&sample.drawing, &sample.layout);
    let bytes: usize = sample.views.iter().map(|v| v.pixels.len()).chain(labels.iter().map(Vec::len)).sum();
    for word in [MAGIC, json.len() as u32, bytes as u32] {
        out.write_all(&word.to_le_bytes()).map_err(fail)?;
    }
    out.write_all(&json).map_err(fail)?;
    for view in &sample.views {
        out.write_all(&view.pixels).map_err(fail)?;
    }
    for view in &labels {
        out.write_all(view).map_err(fail)?;
    }
    Ok(())
}
