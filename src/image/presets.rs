//! The published slicers as data, and what a model file may change of them.

use super::flexible::Flexible;
use super::resize::{Filter, PassOrder};
use super::slice::{Fit, Making, Slicing};
use super::tiles::Tiles;
use super::uhd::{Round, SliceTest, Tie, Uhd, Unsliced};
use crate::error::{Error, Result};

/// Pillow's bicubic, stretched.
const BICUBIC: Making =
    Making { filter: Filter::Bicubic, order: PassOrder::BySize, slices: Fit::Stretch, overview: Fit::Stretch };

impl Uhd {
    /// The settings of LLaVA-UHD v1 (ECCV 2024 code); the others are told by how they differ.
    pub const V1: Self = Self {
        area_side: 336,
        align: 14,
        max_slices: 7,
        round: Round::Floor,
        slice_test: SliceTest::Area,
        unsliced: Unsliced::Area,
        tie: Tie::First,
        making: BICUBIC,
    };
}

/// MiniCPM-V 2.0 to 4.5 as the Hugging Face code has it.
const MINICPM: Uhd = Uhd { area_side: 448, max_slices: 9, round: Round::HalfEven, ..Uhd::V1 };

/// The same models in llama.cpp.
const MTMD: Uhd = Uhd {
    round: Round::HalfAway,
    slice_test: SliceTest::AnySide,
    unsliced: Unsliced::Square,
    tie: Tie::FirstIn32Bits,
    making: Making { order: PassOrder::HorizontalFirst, slices: Fit::Letterbox([0; 3]), ..BICUBIC },
    ..MINICPM
};

/// SmolVLM-256M and 500M as transformers has them.
const SMOLVLM: Tiles = Tiles {
    side: 512,
    longest: 2048,
    always: false,
    by_aspect: true,
    making: Making { filter: Filter::Lanczos, ..BICUBIC },
};

const LFM2_VL: Flexible = Flexible {
    align: 32,
    min_tokens: 64,
    max_tokens: 256,
    tolerance: 2,
    tile: 512,
    min_tiles: 2,
    max_tiles: 10,
    making: Making { filter: Filter::Bilinear, ..BICUBIC },
};

/// The mean of CLIP's pixels, rounded down: what LLaVA-1.5 was trained to see as nothing.
const CLIP_MEAN: [u8; 3] = [122, 116, 104];

/// CLIP's square of 336 pixels, made in this way.
const fn square(overview: Fit, order: PassOrder) -> Slicing {
    Slicing::Square { side: 336, making: Making { overview, order, ..BICUBIC } }
}

/// Every preset by the name a model file or a person gives it. The `mtmd-` ones reproduce llama.cpp's deviations, for
/// comparison.
pub const PRESETS: [(&str, Slicing); 16] = [
    ("uhd-v1", Slicing::Uhd(Uhd::V1)),
    ("minicpm-v", Slicing::Uhd(MINICPM)),
    ("minicpm-v-4.6-16x", Slicing::Uhd(Uhd { align: 56, tie: Tie::MoreRows, ..MINICPM })),
    ("minicpm-v-4.6-4x", Slicing::Uhd(Uhd { align: 28, tie: Tie::MoreRows, ..MINICPM })),
    ("smolvlm", Slicing::Tiles(SMOLVLM)),
    ("smolvlm-2.2b", Slicing::Tiles(Tiles { side: 384, longest: 1536, ..SMOLVLM })),
    ("idefics3", Slicing::Tiles(Tiles { side: 364, longest: 1456, ..SMOLVLM })),
    ("lfm2-vl", Slicing::Flexible(LFM2_VL)),
    ("llava-1.5", square(Fit::Crop, PassOrder::BySize)),
    ("llava-1.5-pad", square(Fit::Pad(CLIP_MEAN), PassOrder::BySize)),
    ("mtmd-minicpm-v", Slicing::Uhd(MTMD)),
    ("mtmd-minicpm-v-4.6-16x", Slicing::Uhd(Uhd { align: 56, ..MTMD })),
    (
        "mtmd-minicpm-v-4.6-4x",
        Slicing::Uhd(Uhd { align: 28, slice_test: SliceTest::Area, unsliced: Unsliced::Area, ..MTMD }),
    ),
    (
        "mtmd-idefics3",
        Slicing::Tiles(Tiles {
            always: true,
            by_aspect: false,
            making: Making { order: PassOrder::HorizontalFirst, ..SMOLVLM.making },
            ..SMOLVLM
        }),
    ),
    (
        "mtmd-lfm2-vl",
        Slicing::Flexible(Flexible {
            making: Making { order: PassOrder::HorizontalFirst, slices: Fit::Letterbox([0; 3]), ..LFM2_VL.making },
            ..LFM2_VL
        }),
    ),
    ("mtmd-llava-1.5", square(Fit::Letterbox(CLIP_MEAN), PassOrder::HorizontalFirst)),
];

/// What a model file says about slicing: a preset, and what it changes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    /// A name of [`PRESETS`].
    pub preset: String,
    /// See [`Uhd::area_side`].
    pub area_side: Option<u32>,
    /// See [`Uhd::align`].
    pub align: Option<u32>,
    /// See [`Uhd::max_slices`].
    pub max_slices: Option<u32>,
    /// `floor`, `half-even` or `half-away`.
    pub round: Option<String>,
}

/// The most cells a grid can be asked to have: beyond it the table of ties ends.
const MOST_SLICES: u32 = 36;

/// The most tiles: a side of the enlarged picture is sixteen tiles' at most.
const MOST_TILES: u32 = 256;

/// The longest side a view or an enlarged picture can be asked to have: transformers' own limit.
const LONGEST: u32 = 4096;

impl Slicing {
    /// The preset of that name.
    ///
    /// # Errors
    /// A model error that lists the names there are.
    pub fn preset(name: &str) -> Result<Self> {
        let found = PRESETS.iter().find(|(preset, _)| *preset == name);
        found.map(|&(_, slicing)| slicing).ok_or_else(|| {
            let known: Vec<_> = PRESETS.iter().map(|(name, _)| *name).collect();
            Error::model(format!("There is no slicing “{name}”; this build knows {}.", known.join(", ")))
        })
    }

    /// The preset of that name at the sizes of this slicing, which a model was trained for.
    ///
    /// # Errors
    /// A usage error that lists the presets there are when there is none of that name, or it is for models of another kind.
    pub fn in_the_manner_of(&self, name: &str) -> Result<Self> {
        let preset = Self::preset(name).map_err(|error| Error::usage(error.to_string()))?;
        match (preset, *self) {
            (Self::Uhd(manner), Self::Uhd(Uhd { area_side, align, max_slices, .. })) => {
                Ok(Self::Uhd(Uhd { area_side, align, max_slices, ..manner }))
            }
            (Self::Tiles(manner), Self::Tiles(Tiles { side, longest, .. })) => {
                Ok(Self::Tiles(Tiles { side, longest, ..manner }))
            }
            (Self::Flexible(Flexible { making, .. }), Self::Flexible(flexible)) => {
                Ok(Self::Flexible(Flexible { making, ..flexible }))
            }
            (Self::Square { making, .. }, Self::Square { side, .. }) => Ok(Self::Square { side, making }),
            _ => {
                let fits = |(other, slicing): &(&'static str, Self)| {
                    (std::mem::discriminant(slicing) == std::mem::discriminant(self)).then_some(*other)
                };
                let known: Vec<_> = PRESETS.iter().filter_map(fits).collect();
                Err(Error::usage(format!(
                    "The slicing “{name}” is for models of another kind; for this one there are {}.",
                    known.join(", ")
                )))
            }
        }
    }

    /// The preset of a model file with what the file changes of it.
    ///
    /// # Errors
    /// A model error that names the knob and the value it cannot have.
    pub fn from_knobs(knobs: &Knobs) -> Result<Self> {
        let Self::Uhd(preset) = Self::preset(&knobs.preset)? else {
            return Self::preset(&knobs.preset);
        };
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
        Self::Uhd(Uhd {
            area_side: knobs.area_side.unwrap_or(preset.area_side),
            align: knobs.align.unwrap_or(preset.align),
            max_slices: knobs.max_slices.unwrap_or(preset.max_slices),
            round,
            ..preset
        })
        .checked()
    }

    /// This slicing, if its sizes, which come from a file, can be.
    ///
    /// # Errors
    /// A model error that names what cannot be.
    pub fn checked(self) -> Result<Self> {
        let (step, side, longest) = match self {
            Self::Uhd(uhd) => (uhd.align, uhd.area_side, uhd.area_side),
            Self::Tiles(tiles) => (1, tiles.side, tiles.longest),
            Self::Flexible(flexible) => (flexible.align, flexible.tile, flexible.tile),
            Self::Square { side, .. } => (1, side, side),
        };
        if step == 0 || side < step || longest < side || longest > LONGEST {
            return Err(Error::model(format!(
                "The model asks for views of {side} pixels a side in steps of {step}, cut from {longest}; a side must lie between the step and {LONGEST}."
            )));
        }
        let most = if matches!(self, Self::Uhd(_)) { 1..=MOST_SLICES } else { 0..=MOST_TILES };
        if !most.contains(&self.max_slices()) {
            return Err(Error::model(format!(
                "The model asks for up to {} slices; this build cuts 1 to {}.",
                self.max_slices(),
                most.end()
            )));
        }
        Ok(self)
    }
}
