//! From a picture's bytes to the rows that stand for it: once, whatever number of questions follow.

use web_time::Instant;

use super::open::Model;
use crate::{
    error::Result,
    image::{Rgb, decode, patches::patch_rows, slice::Layout, views::views},
    protocol::{Event, Phase, SeeTimings},
    text::prompt::PictureShape,
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
    /// How it was cut.
    pub layout: Layout,
    /// The rows of its views in prompt order, `[views · rows a view, width]`.
    pub rows: Vec<f32>,
}

/// A picture being looked at.
pub struct Looking {
    pub id: u32,
    source: Option<Source>,
    cut: Option<(Layout, std::vec::IntoIter<Rgb>)>,
    rows: Vec<f32>,
    timings: SeeTimings,
}

impl Looking {
    pub fn new(id: u32, source: Source) -> Self {
        Self { id, source: Some(source), cut: None, rows: Vec::new(), timings: SeeTimings::default() }
    }

    /// One step: reading and cutting the picture first, then one view each. The picture when it is done.
    pub async fn step(&mut self, model: &mut Model, events: &mut Vec<Event>) -> Result<Option<Picture>> {
        if let Some(source) = self.source.take() {
            self.cut(source, model, events)?;
            return Ok(None);
        }
        let Some((layout, rest)) = &mut self.cut else { return Ok(None) };
        let total = layout.views();
        if let Some(view) = rest.next() {
            let start = Instant::now();
            let patch = model.config.vision.patch as u32;
            let grid = [view.height / patch, view.width / patch].map(|n| n as usize);
            let patches = patch_rows(&view, patch, &model.normalise)?;
            self.rows.extend(model.encode(&patches, grid, None).await?);
            self.timings.encode_ms += milliseconds(start);
            events.push(Event::Progress { phase: Phase::Encode, done: total - rest.len() as u32, total });
        }
        if rest.len() > 0 {
            return Ok(None);
        }
        events.push(Event::Seen { picture: self.id, timings: self.timings });
        Ok(Some(Picture { layout: *layout, rows: std::mem::take(&mut self.rows) }))
    }

    fn cut(&mut self, source: Source, model: &Model, events: &mut Vec<Event>) -> Result<()> {
        let start = Instant::now();
        let picture = match source {
            Source::Encoded(bytes) => decode::decode(&bytes)?,
            Source::Rgba { width, height, pixels } => decode::from_rgba(width, height, &pixels)?,
        };
        self.timings.decode_ms = milliseconds(start);
        let start = Instant::now();
        let layout = model.slicing.layout(picture.width, picture.height)?;
        let views = views(&picture, &layout, Default::default());
        self.timings.slice_ms = milliseconds(start);
        events.push(Event::Sliced { picture: self.id, layout: describe(&layout, model) });
        events.push(Event::Progress { phase: Phase::Encode, done: 0, total: layout.views() });
        self.cut = Some((layout, views.into_iter()));
        Ok(())
    }
}

/// What a prompt needs to know of the picture.
pub fn shape(layout: &Layout, model: &Model) -> PictureShape {
    let (columns, rows) = layout.grid.map_or((0, 0), |g| (g.columns, g.rows));
    PictureShape { columns, rows, per_view: model.config.connector.rows() as u32 }
}

fn describe(layout: &Layout, model: &Model) -> crate::protocol::Layout {
    let tokens = model.schema.picture(0, shape(layout, model)).len();
    let size = |s: crate::image::Size| [s.width, s.height];
    crate::protocol::Layout {
        width: layout.picture.width,
        height: layout.picture.height,
        columns: layout.grid.map_or(0, |g| g.columns),
        rows: layout.grid.map_or(0, |g| g.rows),
        slice: layout.grid.map_or([0, 0], |g| size(g.slice)),
        overview: size(layout.overview),
        tokens: tokens as u32,
    }
}

pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
