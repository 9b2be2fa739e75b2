//! `loupe slices`: how a picture is cut, drawn and told.

use std::{fs, path::PathBuf};

use loupe::{
    error::{Error, Result},
    image::{decode, draw, slice::Slicing},
};

use super::{ask::print, model};

/// Arguments of `loupe slices`.
#[derive(clap::Args)]
pub struct Args {
    /// The picture (PNG, JPEG, WebP, GIF, BMP).
    picture: PathBuf,
    /// The PNG to write; beside the working directory's other files as `NAME-slices.png` when left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The model whose slicing is shown, named as for `loupe ask`.
    #[arg(long, value_delimiter = ',', value_name = "DIR|FILES|URL|HUB")]
    model: Vec<String>,
    /// Show the slicing of this preset; at the sizes of the model, where one is named.
    #[arg(long, alias = "preset", value_name = "PRESET")]
    slicing: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let shown = args.picture.display();
    let unreadable = |e| Error::picture(format!("The picture {shown} could not be opened; check the path.")).because(e);
    let picture = decode::decode(&fs::read(&args.picture).map_err(unreadable)?)?;
    let slicing = match &args.slicing {
        Some(name) if args.model.is_empty() => Slicing::preset(name).map_err(|e| Error::usage(e.to_string()))?,
        name => {
            let slicing = *model::open(&args.model, &Default::default())?.slicing();
            name.as_ref().map_or(Ok(slicing), |name| slicing.in_the_manner_of(name))?
        }
    };
    let layout = slicing.layout(picture.width, picture.height)?;
    let out = args.out.clone().unwrap_or_else(|| {
        let stem = args.picture.file_stem().unwrap_or_default().to_string_lossy();
        PathBuf::from(format!("{stem}-slices.png"))
    });
    let png = decode::to_png(&draw::slices(&picture, &layout))?;
    let unwritable =
        |e| Error::usage(format!("{} could not be written; choose another --out.", out.display())).because(e);
    fs::write(&out, png).map_err(unwritable)?;
    let overview = layout.overview;
    let cut = layout.grid.map_or("not cut".to_owned(), |grid| {
        format!("{} × {} slices of {} × {}", grid.columns, grid.rows, grid.slice.width, grid.slice.height)
    });
    print(&format!(
        "{} × {} pixels: {cut}, overview {} × {}; drawn in {}\n",
        picture.width,
        picture.height,
        overview.width,
        overview.height,
        out.display()
    ))
}
