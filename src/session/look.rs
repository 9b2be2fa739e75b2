//! From a picture's bytes to the rows that stand for it: once, whatever number of questions follow.

use web_time::Instant;

use super::open::Model;
use crate::{
    error::Result,
    image::{Rgb, Size, decode, patches::patch_rows, slice::Layout, views::views},
    protocol::{self, Event, Phase, SeeTimings},
    text::prompt::{self, PictureShape},
};

/// A picture as it was handed over.
pub enum Source {
    /// The bytes of a file.
    Encoded(Vec<u8>),
    /// RGBA, row by row.
    Rgba {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// `[height, width, 4]` bytes.
        pixels: Vec<u8>,
    },
}

/// A picture that was looked at.
pub struct Picture {
    /// The caller's name for it.
    pub id: u32,
    /// How it was cut.
    pub layout: protocol::Layout,
    /// What a prompt needs to know of it.
    pub shape: PictureShape,
    /// Tokens it takes, markers included.
    pub tokens: u32,
    /// The rows of its views, the slices' row by row, then the overview's, `[rows of all views, width]`.
    pub(super) rows: Vec<f32>,
}

impl Picture {
    /// A row of a view.
    pub fn row(&self, view: u32, row: u32, width: usize) -> Option<&[f32]> {
        // Slices are alike, and the overview comes last.
        let at = view as usize * self.shape.slice as usize + row as usize;
        self.rows.get(at * width..(at + 1) * width)
    }
}

/// A picture being looked at.
pub struct Looking {
    pub id: u32,
    source: Option<Source>,
    /// The most slices, where they are to be fewer than the model's own.
    most: Option<u32>,
    cut: Option<(Cut, std::vec::IntoIter<Rgb>)>,
    rows: Vec<f32>,
    timings: SeeTimings,
}

/// How a picture was cut, and what it will take in prompts.
#[derive(Clone, Copy)]
struct Cut {
    layout: Layout,
    shape: PictureShape,
    tokens: u32,
}

impl Looking {
    pub fn new(id: u32, source: Source, most: Option<u32>) -> Self {
        Self { id, source: Some(source), most, cut: None, rows: Vec::new(), timings: SeeTimings::default() }
    }

    /// One step: reading and cutting the picture first, then one view each. The picture when it is done.
    pub async fn step(&mut self, model: &mut Model, events: &mut Vec<Event>) -> Result<Option<Picture>> {
        if let Some(source) = self.source.take() {
            self.cut(source, model, events)?;
            return Ok(None);
        }
        let Some((cut, rest)) = &mut self.cut else { return Ok(None) };
        let total = cut.layout.views();
        // A view is done with when its rows are there: what failed elsewhere is tried again.
        if let Some(view) = rest.as_slice().first() {
            let start = Instant::now();
            let patch = model.config.vision.patch as u32;
            let grid = model.config.vision.grid(view.width, view.height);
            let patches = patch_rows(view, patch, &model.normalise)?;
            self.rows.extend(model.encode(&patches, grid, None).await?);
            rest.next();
            self.timings.encode_ms += milliseconds(start);
            events.push(Event::Progress { phase: Phase::Encode, done: total - rest.len() as u32, total });
        }
        if rest.len() > 0 {
            return Ok(None);
        }
        events.push(Event::Seen { picture: self.id, timings: self.timings });
        let Cut { shape, tokens, .. } = *cut;
        Ok(Some(Picture { id: self.id, layout: describe(cut), shape, tokens, rows: std::mem::take(&mut self.rows) }))
    }

    fn cut(&mut self, source: Source, model: &Model, events: &mut Vec<Event>) -> Result<()> {
        let start = Instant::now();
        let picture = match source {
            Source::Encoded(bytes) => decode::decode(&bytes)?,
            Source::Rgba { width, height, pixels } => decode::from_rgba(width, height, &pixels)?,
        };
        self.timings.decode_ms = milliseconds(start);
        let start = Instant::now();
        let slicing = self.most.map_or(model.slicing, |most| model.slicing.at_most(most));
        let layout = slicing.layout(picture.width, picture.height)?;
        let shape = shape(&layout, model);
        let tokens = prompt::encode(&model.tokenizer, &model.schema.picture(0, shape))?.len() as u32;
        let cut = Cut { layout, shape, tokens };
        let views = views(&picture, &layout);
        self.timings.slice_ms = milliseconds(start);
        events.push(Event::Sliced { picture: self.id, layout: describe(&cut) });
        events.push(Event::Progress { phase: Phase::Encode, done: 0, total: layout.views() });
        self.cut = Some((cut, views.into_iter()));
        Ok(())
    }
}

/// What a prompt needs to know of a picture that is cut like this.
pub fn shape(layout: &Layout, model: &Model) -> PictureShape {
    let rows = |view: Size| {
        let grid = model.config.vision.grid(view.width, view.height);
        model.config.view_rows(grid) as u32
    };
    let (columns, slice_rows, slice) = layout.grid.map_or((0, 0, 0), |g| (g.columns, g.rows, rows(g.slice)));
    PictureShape { columns, rows: slice_rows, slice, overview: rows(layout.overview) }
}

fn describe(cut: &Cut) -> protocol::Layout {
    let layout = &cut.layout;
    let size = |s: Size| [s.width, s.height];
    protocol::Layout {
        width: layout.picture.width,
        height: layout.picture.height,
        columns: layout.grid.map_or(0, |g| g.columns),
        rows: layout.grid.map_or(0, |g| g.rows),
        slice: layout.grid.map_or([0, 0], |g| size(g.slice)),
        overview: size(layout.overview),
        tokens: cut.tokens,
    }
}

pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
