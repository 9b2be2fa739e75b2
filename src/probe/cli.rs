//! `loupe scenes`: writes the training stream, or pictures for a person to look at.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use tiny_skia::Pixmap;

use super::compose::Kit;
use super::labels;
use super::scene::Family;
use super::shard::{Sample, write};
use crate::error::{Error, Result};
use crate::image::Rgb;

/// Draws scenes with their questions and labels.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The first seed; below 2147483648 for training
    #[arg(long, default_value_t = 0)]
    seed_from: u64,
    /// How many scenes; 0 goes on until the reader closes
    #[arg(long, default_value_t = 0)]
    count: u64,
    /// Takes every n-th seed, so that several processes share a range
    #[arg(long, default_value_t = 1)]
    stride: u64,
    /// Families to draw (shapes,text,mixed,regions,glyphs), each with an optional weight: shapes=2,text
    #[arg(long, value_delimiter = ',')]
    families: Vec<String>,
    /// Share of pages full of characters
    #[arg(long, default_value_t = 0.0)]
    glyphs_share: f32,
    /// Where records go; - is standard output
    #[arg(long)]
    out: Option<PathBuf>,
    /// Writes pictures, views and their questions here instead
    #[arg(long)]
    png: Option<PathBuf>,
    /// Prints the names of the labels and ends
    #[arg(long)]
    labels: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Usage errors for unknown families and places that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    if args.labels {
        let names = serde_json::to_string_pretty(&labels::names());
        println!("{}", names.map_err(|e| Error::internal("The labels have no names; report this.").because(e))?);
        return Ok(());
    }
    let kit = kit(args)?;
    let end = if args.count == 0 { u64::MAX } else { args.count };
    let seeds = (0..end).map(|i| args.seed_from + i * args.stride.max(1));
    if let Some(folder) = &args.png {
        return pictures(&kit, seeds.take(if args.count == 0 { 16 } else { usize::MAX }), folder);
    }
    let out = args
        .out
        .as_deref()
        .ok_or_else(|| Error::usage("Say where the scenes go: --out FILE, --out - or --png DIR."))?;
    let mut out: Box<dyn Write> = if out == Path::new("-") {
        Box::new(BufWriter::with_capacity(1 << 20, io::stdout().lock()))
    } else {
        Box::new(BufWriter::with_capacity(1 << 20, fs::File::create(out).map_err(cannot_write)?))
    };
    for seed in seeds {
        if let Err(error) = write(&Sample::new(seed, &kit)?, &mut out) {
            // A reader that has seen enough closes the pipe; that is the usual end of an endless stream.
            return if broken_pipe(&error) { Ok(()) } else { Err(error) };
        }
    }
    match out.flush() {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(e)),
        _ => Ok(()),
    }
}

fn kit(args: &Args) -> Result<Kit> {
    let mut kit = Kit::new()?;
    if !args.families.is_empty() {
        kit.weights = [0.0; 5];
        for item in &args.families {
            let (name, weight) = item.split_once('=').unwrap_or((item, "1"));
            let family = Family::ALL.iter().find(|f| f.name() == name);
            match (family, weight.parse::<f32>()) {
                (Some(&family), Ok(weight)) if weight >= 0.0 => kit.weights[family as usize] = weight,
                _ => {
                    return Err(Error::usage(format!(
                        "“{item}” is no family; choose shapes, text, mixed, regions or glyphs."
                    )));
                }
            }
        }
    }
    if !(0.0..=1.0).contains(&args.glyphs_share) {
        return Err(Error::usage("The share of glyph pages lies between 0 and 1."));
    }
    Ok(if args.glyphs_share > 0.0 { kit.with_glyphs(args.glyphs_share) } else { kit })
}

/// Pictures, their views side by side, and one text file of all questions.
fn pictures(kit: &Kit, seeds: impl Iterator<Item = u64>, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(cannot_write)?;
    let mut text = String::new();
    for seed in seeds {
        let sample = Sample::new(seed, kit)?;
        let scene = &sample.scene;
        save(&sample.drawing.picture, &folder.join(format!("{seed}.png")))?;
        for (i, view) in sample.views.iter().enumerate() {
            save(view, &folder.join(format!("{seed}-view{i}.png")))?;
        }
        let views: Vec<String> = sample.views.iter().map(|v| format!("{}×{}", v.width, v.height)).collect();
        let (family, novelty) = (scene.family.name(), scene.novelty.name());
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "{seed}: {family}, {novelty}, {}×{}, views {}", scene.width, scene.height, views.join(" "));
        for entry in &sample.entries {
            let turns: Vec<String> = entry.turns.iter().map(|[q, a]| format!("{q} → {a}")).collect();
            let _ = writeln!(text, "    {:<10} {}", entry.kind.name(), turns.join(" | "));
        }
    }
    fs::write(folder.join("questions.txt"), text).map_err(cannot_write)
}

fn save(picture: &Rgb, path: &Path) -> Result<()> {
    let opaque = picture.pixels.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    let pixmap =
        tiny_skia::IntSize::from_wh(picture.width, picture.height).and_then(|size| Pixmap::from_vec(opaque, size));
    let pixmap = pixmap.ok_or_else(|| Error::internal("A picture without pixels was drawn; report this."))?;
    pixmap.save_png(path).map_err(|e| Error::usage(format!("{} cannot be written.", path.display())).because(e))
}

fn cannot_write(error: io::Error) -> Error {
    Error::usage("The scenes cannot be written; check the place they go to.").because(error)
}

fn broken_pipe(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    cause.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
