//! The built-in model's answers to the golden questions are the same on every executor, with all instructions the
//! machine has, alone and in company.

#![allow(clippy::unwrap_used)]

mod adapter;

use std::{
    fs::{self, File as Open},
    path::PathBuf,
};

use loupe::{
    Session, Source,
    exec::{
        AnyExecutor, Cpu, Reference,
        cpu::{isa::Isa, pool::Pool},
    },
    gguf::File,
    protocol::{AskOptions, Event},
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn open(executor: AnyExecutor) -> Session {
    let read = |name: &str| File::read(Open::open(path("models").join(name)).unwrap()).unwrap();
    Session::open_on(read("loupe-base-q8_0.gguf"), read("mmproj-loupe-base-q8_0.gguf"), executor).unwrap()
}

/// All questions about each picture, each in a conversation of its own.
fn answers(mut session: Session) -> Vec<String> {
    let text = fs::read_to_string(path("tests/golden/questions.json")).unwrap();
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut answers = Vec::new();
    for entry in table.as_array().unwrap() {
        let picture = entry["picture"].as_str().unwrap();
        session.forget(true);
        session.see(0, Source::Encoded(fs::read(path("tests/golden").join(picture)).unwrap()));
        for question in entry["questions"].as_array().unwrap() {
            let question = question.as_str().unwrap();
            session.forget(false);
            session.ask(1, question.to_owned(), AskOptions { temperature: 0.0, ..AskOptions::default() });
            let answer = answer(&mut session);
            answers.push(format!("{picture} | {question} | {answer}"));
        }
    }
    answers
}

fn answer(session: &mut Session) -> String {
    while let Some(events) = pollster::block_on(session.step()) {
        for event in events {
            match event {
                Event::Done { answer, .. } => return answer.text,
                Event::Failed { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    }
    panic!("no answer came")
}

/// Answers that are not those wanted, in words.
fn parted(executors: impl Iterator<Item = AnyExecutor>, wanted: &[String]) -> Vec<String> {
    let mut parted = Vec::new();
    for executor in executors {
        let session = open(executor);
        let executor = session.executor();
        for (got, want) in answers(session).into_iter().zip(wanted) {
            if got != *want {
                parted.push(format!("{executor}: {got}, the reference: {want}"));
            }
        }
    }
    parted
}

#[test]
fn every_executor_gives_the_golden_answers() {
    let want = answers(open(AnyExecutor::Reference(Reference::default())));
    assert!(want.len() >= 50, "{} questions", want.len());
    let cpus = Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 2)]);
    let cpus = cpus.map(|(isa, threads)| AnyExecutor::Cpu(Box::new(Cpu::with(isa, Pool::new(threads)))));
    let wrong = parted(cpus.chain(adapter::gpus().into_iter().take(1)), &want);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "takes minutes where the GPU is one in software, and the test above has its best variant"]
fn every_variant_of_a_gpu_gives_the_golden_answers() {
    let want = answers(open(AnyExecutor::default()));
    let gpus = adapter::gpus();
    println!("{}", gpus.iter().map(AnyExecutor::description).collect::<Vec<_>>().join("\n"));
    let wrong = parted(gpus.into_iter(), &want);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
