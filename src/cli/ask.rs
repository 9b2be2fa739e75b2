//! `loupe ask`: pictures and a question in, an answer out.

use std::{
    fs,
    io::{self, Write},
};

use loupe::{
    error::{Error, Result},
    protocol::{Answer, AskOptions, Event, Finish, Format, Layout, SeeTimings, Usage},
    session::{Session, Source},
};
use serde::Serialize;

use super::{model, trace};

/// Arguments of `loupe ask`.
#[derive(clap::Args)]
pub struct Args {
    /// Pictures (PNG, JPEG, WebP, GIF, BMP), then the question.
    #[arg(required = true, num_args = 2.., value_name = "PICTURE… QUESTION")]
    pictures_and_question: Vec<String>,
    /// A directory with a GGUF pair, its two files or their addresses (`--model A,B`), the address of a manifest, or
    /// `owner/repo[:quant]` on the hub; the built-in model when left out.
    #[arg(long, value_delimiter = ',', value_name = "DIR|FILES|URL|HUB")]
    model: Vec<String>,
    /// Cut pictures as this preset does, instead of as the model's makers do; `mtmd-…` is llama.cpp's way, for comparison.
    #[arg(long, value_name = "PRESET")]
    slicing: Option<String>,
    #[command(flatten)]
    executor: model::ExecutorArgs,
    /// Print to standard error how long each node of the network took, and what computed it.
    #[arg(long)]
    trace: bool,
    /// Print the answer with slices, token counts, milliseconds of each stage, seed and model hash as JSON.
    #[arg(long)]
    json: bool,
    /// The most tokens to say.
    #[arg(long, default_value_t = AskOptions::default().max_tokens)]
    max_tokens: u32,
    /// 0 takes the likeliest token every time.
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,
    /// Keep the likeliest tokens that together hold this share of the probability.
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    #[arg(long, default_value_t = 0)]
    top_k: u32,
    /// Drop tokens less likely than this share of the likeliest.
    #[arg(long, default_value_t = 0.0)]
    min_p: f32,
    /// Divide the logits of tokens already said by this.
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f32,
    /// The same seed gives the same answer.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// End the answer before this text; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    #[command(flatten)]
    format: FormatArgs,
}

/// What the answer must be.
#[derive(clap::Args)]
#[group(multiple = false)]
struct FormatArgs {
    /// Answer with JSON that the JSON schema in this file describes.
    #[arg(long, value_name = "FILE")]
    schema: Option<String>,
    /// Answer with a text that this regular expression matches as a whole.
    #[arg(long, value_name = "PATTERN")]
    regex: Option<String>,
    /// Answer with one of several texts; given once for each.
    #[arg(long, value_name = "TEXT")]
    choice: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    answer: String,
    finish: Finish,
    usage: Usage,
    seed: u32,
    pictures: Vec<Seen>,
    model: String,
    model_hash: String,
}

#[derive(Serialize)]
struct Seen {
    file: String,
    layout: Layout,
    timings: SeeTimings,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let Some((question, pictures)) = args.pictures_and_question.split_last() else {
        return Err(Error::usage("Give a picture and a question."));
    };
    let mut session = model::open(&args.model, &args.executor)?;
    if let Some(preset) = &args.slicing {
        session.cut_as(preset)?;
    }
    if args.trace {
        session.profile();
    }
    for (at, file) in pictures.iter().enumerate() {
        let unreadable =
            |e| Error::picture(format!("The picture {file} could not be opened; check the path.")).because(e);
        session.see(at as u32, Source::Encoded(fs::read(file).map_err(unreadable)?));
    }
    session.ask(1, question, options(args)?);
    let report = pollster::block_on(drive(&mut session, pictures, !args.json))?;
    if let Some(profile) = session.profiled() {
        eprint!("{}\n{}", session.executor(), trace::table(profile));
    }
    if args.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|e| Error::internal("The report could not be written; report this.").because(e))?;
        print(&text)?;
    }
    print("\n")
}

fn options(args: &Args) -> Result<AskOptions> {
    Ok(AskOptions {
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        top_p: args.top_p,
        top_k: args.top_k,
        min_p: args.min_p,
        repetition_penalty: args.repetition_penalty,
        seed: args.seed,
        stop: args.stop.clone(),
        format: format(&args.format)?,
    })
}

fn format(FormatArgs { schema, regex, choice }: &FormatArgs) -> Result<Format> {
    Ok(if let Some(file) = schema {
        let unreadable = |e| Error::usage(format!("The schema {file} could not be opened; check the path.")).because(e);
        let no_json = |e| Error::usage(format!("The schema {file} is no JSON: {e}.")).because(e);
        Format::Json { schema: serde_json::from_slice(&fs::read(file).map_err(unreadable)?).map_err(no_json)? }
    } else if let Some(pattern) = regex {
        Format::Regex { pattern: pattern.clone() }
    } else if choice.is_empty() {
        Format::Text {}
    } else {
        Format::Choice { options: choice.clone() }
    })
}

/// Steps until the answer is whole, printing it as it comes.
async fn drive(session: &mut Session, files: &[String], stream: bool) -> Result<Report> {
    let (mut pictures, mut layouts) = (Vec::new(), Vec::new());
    while let Some(events) = session.step().await {
        for event in events {
            match event {
                Event::Sliced { layout, .. } => layouts.push(layout),
                Event::Seen { picture, timings } => {
                    let at = picture as usize;
                    pictures.push(Seen { file: files[at].clone(), layout: layouts[at].clone(), timings });
                }
                Event::Token { text, .. } if stream => print(&text)?,
                Event::Done { answer: Answer { text, finish, usage, seed }, .. } => {
                    let info = session.info();
                    let (model, model_hash) = (info.name.clone(), info.hash.clone());
                    return Ok(Report { answer: text, finish, usage, seed, pictures, model, model_hash });
                }
                Event::Failed { kind, message, .. } => return Err(Error::of_kind(kind, message)),
                _ => {}
            }
        }
    }
    Err(Error::internal("The answer never ended; report this."))
}

/// Writes to standard output at once.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let lost = |e| Error::usage("The answer could not be printed: the output was closed.").because(e);
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(lost)
}
