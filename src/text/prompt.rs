//! What the decoder is given: token ids and the rows of pictures, in order.
//!
//! A picture's place in a text is [`MARKER`]. There, LLaVA-UHD's spatial schema names the slices row by row, a separator
//! between the slices of a row and another after each row, so that the decoder knows which slice lies where; the overview
//! comes before or after them. Source: arXiv 2403.11703 §3.3; thunlp/LLaVA-UHD `llava/model/llava_arch.py`.

use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};

/// Stands for a picture in a message and in what a template makes of it.
pub const MARKER: &str = "<image>";

/// One position of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A token of the vocabulary.
    Token(u32),
    /// One of the rows that the connector makes of a view.
    PictureRow {
        /// Which of the conversation's pictures, from 0.
        picture: u32,
        /// Which of its views, in the order of [`crate::image::views`]: slices row by row, then the overview.
        view: u32,
        /// Which row of the view.
        row: u32,
    },
}

/// What a prompt needs to know of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureShape {
    /// Slices in a row; 0 when the picture is not cut.
    pub columns: u32,
    /// Rows of slices; 0 when the picture is not cut.
    pub rows: u32,
    /// Rows the connector makes of each view.
    pub per_view: u32,
}

/// Whether the overview comes before the slices or after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overview {
    /// Before (MiniCPM-V).
    First,
    /// After (LLaVA-UHD).
    Last,
}

/// How a picture is spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    column_separator: Vec<u32>,
    row_separator: Vec<u32>,
    overview: Overview,
}

impl Schema {
    /// The separators are texts, which may name special tokens; an empty one leaves it out.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn new(tokenizer: &Tokenizer, column_separator: &str, row_separator: &str, overview: Overview) -> Result<Self> {
        let encode = |text| tokenizer.encode(text, true);
        Ok(Self { column_separator: encode(column_separator)?, row_separator: encode(row_separator)?, overview })
    }

    /// The prompt positions of a picture, separators among them.
    pub fn picture(&self, picture: u32, shape: PictureShape) -> Vec<Item> {
        let PictureShape { columns, rows, per_view } = shape;
        let view = |view| (0..per_view).map(move |row| Item::PictureRow { picture, view, row });
        let tokens = |ids: &[u32]| ids.iter().map(|&id| Item::Token(id)).collect::<Vec<_>>();
        let mut slices = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                slices.extend(view(row * columns + column));
                let last = column + 1 == columns;
                slices.extend(tokens(if last { &self.row_separator } else { &self.column_separator }));
            }
        }
        let overview = view(rows * columns);
        match self.overview {
            Overview::First => overview.chain(slices).collect(),
            Overview::Last => slices.into_iter().chain(overview).collect(),
        }
    }
}

/// What a person says, with the pictures shown along with it: markers first, and nothing in the words that could be taken
/// for a marker or a special token.
pub fn message(tokenizer: &Tokenizer, pictures: usize, words: &str) -> String {
    MARKER.repeat(pictures) + &tokenizer.quote(words, MARKER)
}

/// The positions of a rendered conversation; the first marker is picture 0. Begins with the token that begins
/// conversations, where the model wants one and the template has not put it there.
///
/// # Errors
/// A model error when the template has lost or doubled a picture; those of [`Tokenizer::encode`].
pub fn items(tokenizer: &Tokenizer, schema: &Schema, rendered: &str, pictures: &[PictureShape]) -> Result<Vec<Item>> {
    let chunks: Vec<_> = rendered.split(MARKER).collect();
    let places = chunks.len() - 1;
    if places != pictures.len() {
        return Err(Error::model(format!(
            "The model's chat template has {places} places for {} pictures; use another model.",
            pictures.len()
        )));
    }
    let mut items = Vec::new();
    for (i, chunk) in chunks.into_iter().enumerate() {
        items.extend(tokenizer.encode(chunk, true)?.into_iter().map(Item::Token));
        if let Some(&shape) = pictures.get(i) {
            items.extend(schema.picture(i as u32, shape));
        }
    }
    let vocabulary = tokenizer.vocabulary();
    let bos = vocabulary.bos.filter(|_| vocabulary.add_bos).map(Item::Token);
    if bos.is_some() && items.first().copied() != bos {
        items.splice(0..0, bos);
    }
    Ok(items)
}
