//! A picture and an answer with the built-in model.

use std::{fs, path::Path};

use loupe::{
    Session, Source,
    exec::{AnyExecutor, gpu::Wish},
    gguf::File,
    protocol::{AskOptions, Event, Usage},
};

use crate::{
    Done,
    ceilings::Ceilings,
    report::{Report, digits, share},
};

/// Of five tokens about a picture without a word in it.
const QUESTION: &str = "What do you read?";
const PICTURE: &str = "tests/golden/pictures/plain.png";
/// Times that the question is asked, for an answer is short.
const TIMES: usize = 8;

/// A table of what it takes, the second time that the picture is looked at: the first is slower.
pub fn measure(wish: Wish, ceilings: &Ceilings, report: &mut Report) -> Done {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [text, vision] =
        ["loupe-base-q8_0.gguf", "mmproj-loupe-base-q8_0.gguf"].map(|name| root.join("models").join(name));
    let bytes = fs::metadata(&text)?.len() as f64;
    let read = |path: &Path| -> Done<File> { Ok(File::read(fs::File::open(path)?)?) };
    let gpu = pollster::block_on(AnyExecutor::gpu(wish))?;
    let mut session = Session::open_on(read(&text)?, read(&vision)?, gpu)?;
    let picture = fs::read(root.join(PICTURE))?;
    let mut looked = None;
    for _ in 0..2 {
        session.forget(true);
        session.see(0, Source::Encoded(picture.clone()));
        looked = Some(answer(&mut session)?);
    }
    let Some((Some(encode), first)) = looked else { return Err("the picture was not looked at".into()) };
    let prefill = f64::from(first.prompt_tokens - first.cached_tokens) / first.prefill_ms * 1e3;
    // The first token comes of the prompt's logits.
    let (mut steps, mut ms) = (0.0, 0.0);
    for _ in 0..TIMES {
        session.forget(false);
        let (_, usage) = answer(&mut session)?;
        steps += f64::from(usage.answer_tokens - 1);
        ms += usage.decode_ms;
    }
    let decode = steps / ms * 1e3;
    report.say(&format!(
        "\n| the built-in model, Q8_0 | encode, ms a view | prefill, tokens/s | decode, tokens/s | weights read, of copying |\n\
         | --- | --: | --: | --: | --: |\n| {steps} steps | {} | {} | {} | {} |\n",
        digits(encode),
        digits(prefill),
        digits(decode),
        share(decode * bytes, ceilings.bytes),
    ))
}

/// Milliseconds of each view, if a picture was looked at, and what the answer took.
fn answer(session: &mut Session) -> Done<(Option<f64>, Usage)> {
    session.ask(1, QUESTION, AskOptions::default());
    let (mut views, mut encode) = (1, None);
    while let Some(events) = pollster::block_on(session.step()) {
        for event in events {
            match event {
                Event::Sliced { layout, .. } => views = layout.columns * layout.rows + 1,
                Event::Seen { timings, .. } => encode = Some(timings.encode_ms / f64::from(views)),
                Event::Failed { message, .. } => return Err(message.into()),
                Event::Done { answer, .. } => return Ok((encode, answer.usage)),
                _ => {}
            }
        }
    }
    Err("no answer came".into())
}
