//! How each family spells a picture out: what stands around its views, and in which order they come.
//!
//! Sources: arXiv 2403.11703 §3.3; thunlp/LLaVA-UHD `llava/model/llava_arch.py`; transformers' processors of `idefics3`,
//! `minicpmv4_6`, `lfm2_vl` and `llava`; OpenBMB's `image_processing_minicpmv.py`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::prompt::{PictureShape, Piece};
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};

/// A text that is written once, with places that are filled in.
type Text = Cow<'static, str>;

/// Whether the overview comes before the slices or after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overview {
    /// Before (MiniCPM-V).
    First,
    /// After (LLaVA-UHD, Idefics3).
    Last,
}

/// How a picture is spelled out. Texts may name special tokens; `{picture}` in them is the picture's number from 0,
/// `{row}` and `{column}` are a slice's place from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What chat templates print for a picture, the likeliest first.
    pub placeholders: &'static [&'static str],
    /// What follows each placeholder where a template takes plain text, and the placeholders are put before the words.
    pub after_placeholder: &'static str,
    /// Around the whole picture.
    pub picture: [Text; 2],
    /// Around all slices, where there are any.
    pub slices: [Text; 2],
    /// Around each slice.
    pub slice: [Text; 2],
    /// Between two slices of a row.
    pub column: Text,
    /// Between two rows of slices.
    pub row: Text,
    /// Around the overview of a cut picture.
    pub overview: [Text; 2],
    /// Around the one view of a picture that is not cut.
    pub whole: [Text; 2],
    /// Where the overview stands.
    pub order: Overview,
}

const NOTHING: [Text; 2] = [Cow::Borrowed(""), Cow::Borrowed("")];

const fn around(before: &'static str, after: &'static str) -> [Text; 2] {
    [Cow::Borrowed(before), Cow::Borrowed(after)]
}

impl Schema {
    /// Views and nothing else (LLaVA-1.5); the others are told by how they differ.
    pub fn bare() -> Self {
        Self {
            placeholders: &["<image>"],
            after_placeholder: "\n",
            picture: NOTHING,
            slices: NOTHING,
            slice: NOTHING,
            column: Cow::Borrowed(""),
            row: Cow::Borrowed(""),
            overview: NOTHING,
            whole: NOTHING,
            order: Overview::Last,
        }
    }

    /// Idefics3, SmolVLM and granite-docling.
    pub fn idefics3() -> Self {
        Self {
            after_placeholder: "",
            slices: around("", "\n"),
            slice: around("<fake_token_around_image><row_{row}_col_{column}>", ""),
            row: Cow::Borrowed("\n"),
            overview: around("\n<fake_token_around_image><global-img>", "<fake_token_around_image>"),
            whole: around("<fake_token_around_image><global-img>", "<fake_token_around_image>"),
            ..Self::bare()
        }
    }

    /// MiniCPM-V 2.5: slices look like pictures, and stand in one pair of slice markers.
    pub fn minicpm_2_5() -> Self {
        Self {
            placeholders: &["(<image>./</image>)"],
            after_placeholder: "\n",
            slices: around("<slice>", "</slice>"),
            slice: around("<image>", "</image>"),
            row: Cow::Borrowed("\n"),
            overview: around("<image>", "</image>"),
            whole: around("<image>", "</image>"),
            order: Overview::First,
            ..Self::bare()
        }
    }

    /// MiniCPM-V 2.6 to 4.5.
    pub fn minicpm_2_6() -> Self {
        Self {
            picture: around("<image_id>{picture}</image_id>", ""),
            slices: NOTHING,
            slice: around("<slice>", "</slice>"),
            ..Self::minicpm_2_5()
        }
    }

    /// MiniCPM-V 4.6.
    pub fn minicpm_4_6() -> Self {
        Self { placeholders: &["<|image_pad|>", "(<image>./</image>)"], ..Self::minicpm_2_6() }
    }

    /// LFM2-VL.
    pub fn lfm2() -> Self {
        Self {
            after_placeholder: "",
            picture: around("<|image_start|>", "<|image_end|>"),
            slice: around("<|img_row_{row}_col_{column}|>", ""),
            overview: around("<|img_thumbnail|>", ""),
            ..Self::bare()
        }
    }

    /// LLaVA-UHD: a separator between the slices of a row and another after each row.
    pub fn separated(column: &str, row: &str, order: Overview) -> Self {
        Self {
            after_placeholder: "",
            slices: [Cow::Borrowed(""), row.to_owned().into()],
            column: column.to_owned().into(),
            row: row.to_owned().into(),
            order,
            ..Self::bare()
        }
    }

    /// The pieces of a picture, markers among them.
    pub fn picture(&self, picture: u32, shape: PictureShape) -> Vec<Piece> {
        let PictureShape { columns, rows, slice, overview } = shape;
        let cells = columns * rows;
        let text = |text: &Text| Piece::Text(text.replace("{picture}", &picture.to_string()));
        let wrapped =
            |[before, after]: &[Text; 2], view, rows| [text(before), Piece::View { picture, view, rows }, text(after)];
        let mut slices = Vec::new();
        for cell in 0..cells {
            let (row, column) = (cell / columns, cell % columns);
            slices.push(text(match (cell, column) {
                (0, _) => &self.slices[0],
                (_, 0) => &self.row,
                _ => &self.column,
            }));
            slices.extend(wrapped(&self.slice.clone().map(|text| placed(&text, row + 1, column + 1)), cell, slice));
        }
        if cells > 0 {
            slices.push(text(&self.slices[1]));
        }
        let overview = wrapped(if cells > 0 { &self.overview } else { &self.whole }, cells, overview);
        let mut pieces = vec![text(&self.picture[0])];
        match self.order {
            Overview::First => pieces.extend(overview.into_iter().chain(slices)),
            Overview::Last => pieces.extend(slices.into_iter().chain(overview)),
        }
        pieces.push(text(&self.picture[1]));
        pieces
    }

    /// Checks that each marker this schema can write, for slices at these places (row, column), is one token.
    ///
    /// # Errors
    /// A model error that names the first marker that is not.
    pub fn check(&self, tokenizer: &Tokenizer, places: &[[u32; 2]]) -> Result<()> {
        let around = [&self.picture, &self.slices, &self.overview, &self.whole];
        let mut texts: BTreeSet<Text> = around.into_iter().flatten().cloned().collect();
        for text in &self.slice {
            texts.extend(places.iter().map(|&[row, column]| placed(text, row, column)));
        }
        for marker in texts.iter().flat_map(|text| markers(text)) {
            if tokenizer.encode(marker, true)?.len() != 1 {
                return Err(Error::model(format!(
                    "The language model's vocabulary has no token `{marker}`, with which its pictures are marked; the two files are not a pair, or the vocabulary is incomplete."
                )));
            }
        }
        Ok(())
    }
}

fn placed(text: &Text, row: u32, column: u32) -> Text {
    if text.contains('{') {
        text.replace("{row}", &row.to_string()).replace("{column}", &column.to_string()).into()
    } else {
        text.clone()
    }
}

/// The names in angle brackets.
fn markers(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('>').filter_map(|part| part.find('<').map(|at| &part[at..]))
}
