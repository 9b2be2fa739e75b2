//! How the pictures of each family are cut and spelled out. Published files do not say; their kind does.

use crate::{
    error::{Error, Result},
    gguf::{Header, Value},
    image::slice::{Flexible, Knobs, Slicing, Tiles, Uhd},
    model::{Projector, VlmConfig},
    text::schema::{Overview, Schema},
};

/// How the model wants pictures cut, as its makers' own processor does.
///
/// # Errors
/// A model error when the file asks for sizes that cannot be.
pub fn slicing(h: &Header, config: &VlmConfig) -> Result<Slicing> {
    if h.get("loupe.slicing.preset").is_some() {
        return own_slicing(h);
    }
    let vision = &config.vision;
    let (patch, square) = (vision.patch as u32, vision.side as u32);
    let align = patch.saturating_mul(config.merged() as u32);
    let uhd = |preset| match Slicing::preset(preset)? {
        Slicing::Uhd(uhd) => Ok(Slicing::Uhd(Uhd { area_side: square, align, ..uhd })),
        other => Ok(other),
    };
    let slicing = match vision.projector {
        Projector::Resampler => uhd("minicpm-v")?,
        Projector::MiniCpmV46 => uhd("minicpm-v-4.6-16x")?,
        Projector::Idefics3 => {
            // Files from before llama.cpp wrote the key; all published models enlarge to four tiles.
            let longest = h.optional_size("clip.vision.preproc_image_size")?;
            let longest = longest.map_or(square.saturating_mul(4), |longest| longest as u32);
            match Slicing::preset("smolvlm")? {
                Slicing::Tiles(tiles) => Slicing::Tiles(Tiles { side: square, longest, ..tiles }),
                other => other,
            }
        }
        Projector::Lfm2 => match Slicing::preset("lfm2-vl")? {
            Slicing::Flexible(flexible) => Slicing::Flexible(Flexible { align, ..flexible }),
            other => other,
        },
        Projector::Mlp => match Slicing::preset("llava-1.5")? {
            Slicing::Square { making, .. } => Slicing::Square { side: square, making },
            other => other,
        },
    };
    slicing.checked()
}

fn own_slicing(h: &Header) -> Result<Slicing> {
    let knob = |name: &str| h.optional_size(&format!("loupe.slicing.{name}")).map(|n| n.map(|n| n as u32));
    Slicing::from_knobs(&Knobs {
        preset: h.text("loupe.slicing.preset")?.to_owned(),
        area_side: knob("area_side")?,
        align: knob("align")?,
        max_slices: knob("max_slices")?,
        round: h.get("loupe.slicing.round").and_then(Value::text).map(str::to_owned),
    })
}

/// How the model wants pictures spelled out.
///
/// # Errors
/// A model error for a version of MiniCPM-V, or an order of views, that this build does not know.
pub fn schema(h: &Header, config: &VlmConfig) -> Result<Schema> {
    if h.get("loupe.schema.overview").is_some() {
        return own_schema(h);
    }
    Ok(match config.vision.projector {
        Projector::Idefics3 => Schema::idefics3(),
        Projector::Lfm2 => Schema::lfm2(),
        Projector::Mlp => Schema::bare(),
        Projector::MiniCpmV46 => Schema::minicpm_4_6(),
        // 2 is 2.5, 3 is 2.6, 4 is o-2.6, 5 is 4.0, 6 is 4.5, 100045 is o-4.5; 0 is a file from before there were others.
        Projector::Resampler => match h.optional_size("clip.minicpmv_version").unwrap_or(None).unwrap_or(2) {
            2 => Schema::minicpm_2_5(),
            3..=6 | 100_045 => Schema::minicpm_2_6(),
            other => {
                return Err(Error::model(format!(
                    "The vision encoder is of MiniCPM-V's version {other}; this version of Loupe runs 2 to 6 and 100045 (MiniCPM-V 2.5 to 4.5)."
                )));
            }
        },
    })
}

fn own_schema(h: &Header) -> Result<Schema> {
    let overview = match h.text("loupe.schema.overview")? {
        "first" => Overview::First,
        "last" => Overview::Last,
        other => {
            return Err(Error::model(format!(
                "The model puts the overview `{other}`; this build knows first and last."
            )));
        }
    };
    let (column, row) = (h.text("loupe.schema.column_separator")?, h.text("loupe.schema.row_separator")?);
    Ok(Schema::separated(column, row, overview))
}
