//! `loupe exam`: how often a model is right about held-out scenes, beside what it gets without the picture.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use loupe::{
    error::{Error, Result},
    probe::{
        compose::{HELD_OUT, Kit},
        exam::{Exam, report::Report},
    },
};

use super::model;

/// Arguments of `loupe exam`.
#[derive(clap::Args)]
pub struct Args {
    /// A directory with a GGUF pair, its two files or their addresses (`--model A,B`), the address of a manifest, or
    /// `owner/repo[:quant]` on the hub; the built-in model when left out.
    #[arg(long, value_delimiter = ',', value_name = "DIR|FILES|URL|HUB")]
    model: Vec<String>,
    #[command(flatten)]
    executor: model::ExecutorArgs,
    /// Scenes to ask about.
    #[arg(long, default_value_t = 2000)]
    scenes: u64,
    /// Seed of the first, at least 2147483648.
    #[arg(long, default_value_t = HELD_OUT)]
    seed_from: u64,
    /// Controls (noise, another scene's picture) on one scene in so many.
    #[arg(long, default_value_t = 4)]
    controls_every: u64,
    /// Stop after so many minutes; 0 for no limit.
    #[arg(long, default_value_t = 0.0)]
    minutes: f64,
    /// Writes the table here and the numbers beside it as .json, after every few scenes: stopping loses little.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let mut session = model::open(&args.model, &args.executor)?;
    let kit = Kit::new()?;
    let mut exam = Exam::new(&kit, args.seed_from, args.scenes, args.controls_every)?;
    let start = Instant::now();
    let limit = if args.minutes > 0.0 { Duration::from_secs_f64(args.minutes * 60.0) } else { Duration::MAX };
    loop {
        let more = pollster::block_on(exam.block(&mut session))?;
        let report = exam.report(&session);
        if let Some(out) = &args.out {
            save(&report, out)?;
        }
        eprintln!("{}", progress(&report));
        if !more || start.elapsed() >= limit {
            println!("{}", report.markdown());
            return Ok(());
        }
    }
}

/// "400/2000 scenes, 68 s, about 4 min left; count 81.2, read 63.0, …"
fn progress(report: &Report) -> String {
    let left = report.seconds / report.scenes.max(1) as f64 * (report.wanted - report.scenes) as f64 / 60.0;
    let kinds = report.rows.iter().filter(|row| row.group == "kind");
    let rates = kinds.filter_map(|row| Some(format!("{} {:.1}", row.name, row.picture?.rate * 100.0)));
    let rates: Vec<_> = rates.collect();
    let (done, wanted, seconds) = (report.scenes, report.wanted, report.seconds);
    format!("{done}/{wanted} scenes, {seconds:.0} s, about {left:.0} min left; {}", rates.join(", "))
}

fn save(report: &Report, out: &Path) -> Result<()> {
    let failed =
        |e| Error::usage(format!("The report cannot be written to {}; check the path.", out.display())).because(e);
    let json = serde_json::to_string_pretty(report)
        .map_err(|e| Error::internal("The report could not be written; report this.").because(e))?;
    fs::write(out, report.markdown()).map_err(failed)?;
    fs::write(out.with_extension("json"), json).map_err(failed)
}
