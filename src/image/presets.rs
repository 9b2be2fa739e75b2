//! The published slicers as data, and what a model file may change of them.

use super::slice::{Fit, Round, SliceTest, Slicing, Tie, Unsliced};
use crate::error::{Error, Result};

/// The settings of LLaVA-UHD v1 (ECCV 2024 code); the others are told by how they differ.
const UHD_V1: Slicing = Slicing {
    area_side: 336,
    align: 14,
    max_slices: 7,
    round: Round::Floor,
    slice_test: SliceTest::Area,
    unsliced: Unsliced::Area,
    tie: Tie::First,
    fit: Fit::Stretch,
};

/// MiniCPM-V 2.0 to 4.5 as the Hugging Face code has it.
const MINICPM: Slicing = Slicing { area_side: 448, max_slices: 9, round: Round::HalfEven, ..UHD_V1 };

/// The same models in llama.cpp.
const MTMD: Slicing = Slicing {
    round: Round::HalfAway,
    slice_test: SliceTest::AnySide,
    unsliced: Unsliced::Square,
    tie: Tie::FirstIn32Bits,
    fit: Fit::Letterbox,
    ..MINICPM
};

/// Every preset by the name a model file gives it. The `mtmd-` ones reproduce llama.cpp's deviations, for comparison.
pub const PRESETS: [(&str, Slicing); 7] = [
    ("uhd-v1", UHD_V1),
    ("minicpm-v", MINICPM),
    ("minicpm-v-4.6-16x", Slicing { align: 56, tie: Tie::MoreRows, ..MINICPM }),
    ("minicpm-v-4.6-4x", Slicing { align: 28, tie: Tie::MoreRows, ..MINICPM }),
    ("mtmd-minicpm-v", MTMD),
    ("mtmd-minicpm-v-4.6-16x", Slicing { align: 56, ..MTMD }),
    ("mtmd-minicpm-v-4.6-4x", Slicing { align: 28, slice_test: SliceTest::Area, unsliced: Unsliced::Area, ..MTMD }),
];

/// What a model file says about slicing: a preset, and what it changes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    /// A name of [`PRESETS`].
    pub preset: String,
    /// See [`Slicing::area_side`].
    pub area_side: Option<u32>,
    /// See [`Slicing::align`].
    pub align: Option<u32>,
    /// See [`Slicing::max_slices`].
    pub max_slices: Option<u32>,
    /// `floor`, `half-even` or `half-away`.
    pub round: Option<String>,
}

/// The most cells a grid can be asked to have: beyond it the table of ties ends.
const MOST_SLICES: u32 = 36;

impl Slicing {
    /// The preset of that name.
    ///
    /// # Errors
    /// A model error that lists the names there are.
    pub fn preset(name: &str) -> Result<Self> {
        let found = PRESETS.iter().find(|(preset, _)| *preset == name);
        found.map(|&(_, slicing)| slicing).ok_or_else(|| {
            let known: Vec<_> = PRESETS.iter().map(|(name, _)| *name).collect();
            Error::model(format!("The model asks for slicing “{name}”; this build knows {}.", known.join(", ")))
        })
    }

    /// The preset of a model file with what the file changes of it.
    ///
    /// # Errors
    /// A model error that names the knob and the value it cannot have.
    pub fn from_knobs(knobs: &Knobs) -> Result<Self> {
        let preset = Self::preset(&knobs.preset)?;
        let round = match knobs.round.as_deref() {
            None => preset.round,
            Some("floor") => Round::Floor,
            Some("half-even") => Round::HalfEven,
            Some("half-away") => Round::HalfAway,
            Some(other) => {
                let known = "floor, half-even and half-away";
                return Err(Error::model(format!("The model rounds slices by “{other}”; this build knows {known}.")));
            }
        };
        let slicing = Self {
            area_side: knobs.area_side.unwrap_or(preset.area_side),
            align: knobs.align.unwrap_or(preset.align),
            max_slices: knobs.max_slices.unwrap_or(preset.max_slices),
            round,
            ..preset
        };
        if slicing.align == 0 || !(slicing.align..=4096).contains(&slicing.area_side) {
            return Err(Error::model(format!(
                "The model asks for views of {} pixels a side in steps of {}; the side must lie between the step and 4096.",
                slicing.area_side, slicing.align
            )));
        }
        if !(1..=MOST_SLICES).contains(&slicing.max_slices) {
            return Err(Error::model(format!(
                "The model asks for up to {} slices; this build cuts 1 to {MOST_SLICES}.",
                slicing.max_slices
            )));
        }
        Ok(slicing)
    }
}
