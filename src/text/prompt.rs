//! What the decoder is given: token ids and the rows of pictures, in order.
//!
//! A chat template prints a placeholder where a picture stands. There the model's [`Schema`] spells the picture out; what
//! lies between two runs of picture rows is tokenised as one text, as the model's own processor does.

use super::schema::Schema;
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};

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
    /// Rows the connector makes of each slice.
    pub slice: u32,
    /// Rows it makes of the overview.
    pub overview: u32,
}

/// A part of a prompt that is being spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, in which special tokens may be named.
    Text(String),
    /// All rows of a view.
    View {
        /// Which of the conversation's pictures.
        picture: u32,
        /// Which of its views.
        view: u32,
        /// How many rows.
        rows: u32,
    },
}

/// The positions of a rendered conversation, in which `placeholder` stands for one picture after the other. Begins with the
/// token that begins conversations, where the model wants one and the template has not put it there.
///
/// # Errors
/// A model error when the template has lost or doubled a picture; those of [`Tokenizer::encode`].
pub fn items(
    tokenizer: &Tokenizer,
    schema: &Schema,
    rendered: &str,
    placeholder: &str,
    pictures: &[PictureShape],
) -> Result<Vec<Item>> {
    let chunks: Vec<_> = rendered.split(placeholder).collect();
    let places = chunks.len() - 1;
    if places != pictures.len() {
        return Err(Error::model(format!(
            "The model's chat template has {places} places for {} pictures; use another model.",
            pictures.len()
        )));
    }
    let mut pieces = Vec::new();
    for (i, chunk) in chunks.into_iter().enumerate() {
        pieces.push(Piece::Text(chunk.to_owned()));
        if let Some(&shape) = pictures.get(i) {
            pieces.extend(schema.picture(i as u32, shape));
        }
    }
    let mut items = encode(tokenizer, &pieces)?;
    let bos = tokenizer.before_prompts().map(Item::Token);
    if bos.is_some() && items.first().copied() != bos {
        items.splice(0..0, bos);
    }
    Ok(items)
}

/// The positions of pieces; texts in a row are one text to the tokenizer.
///
/// # Errors
/// Those of [`Tokenizer::encode`].
pub fn encode(tokenizer: &Tokenizer, pieces: &[Piece]) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut text = String::new();
    let flush = |text: &mut String, items: &mut Vec<Item>| -> Result<()> {
        items.extend(tokenizer.encode(text, true)?.into_iter().map(Item::Token));
        text.clear();
        Ok(())
    };
    for piece in pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            &Piece::View { picture, view, rows } => {
                flush(&mut text, &mut items)?;
                items.extend((0..rows).map(|row| Item::PictureRow { picture, view, row }));
            }
        }
    }
    flush(&mut text, &mut items)?;
    Ok(items)
}
