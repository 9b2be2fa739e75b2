//! A session whose machine fails in the middle, and goes on elsewhere.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use super::{Session, Source};
use crate::{
    gguf::File,
    protocol::{AskOptions, Event},
};

fn file(name: &str) -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/stages/{name}.gguf"));
    File::read(&fs::read(path).unwrap()[..]).unwrap()
}

fn fresh() -> Session {
    Session::open(file("micro-f32"), file("mmproj-micro-f32")).unwrap()
}

/// All words of a conversation about one picture, whose machine fails after so many steps; and how many steps it took.
fn conversation(options: &AskOptions, failing: Option<usize>) -> (Vec<String>, usize) {
    let mut session = fresh();
    let pixels = (0..40 * 30 * 4).map(|i| (i * 7) as u8).collect();
    session.see(1, Source::Rgba { width: 40, height: 30, pixels });
    for id in [1, 2] {
        session.ask(id, "What is it?", options.clone());
    }
    let (mut answers, mut steps) = (vec![String::new(), String::new()], 0);
    loop {
        if failing == Some(steps) {
            session.stall();
            assert!(session.is_stalled());
            assert_eq!(pollster::block_on(session.step()), None);
            session.go_on(fresh());
        }
        let Some(events) = pollster::block_on(session.step()) else { return (answers, steps) };
        steps += 1;
        for event in events {
            match event {
                Event::Token { id, text } => answers[id as usize - 1].push_str(&text),
                Event::Done { id, answer } => assert_eq!(answer.text, answers[id as usize - 1]),
                Event::Failed { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    }
}

#[test]
fn wherever_a_machine_fails_the_conversation_is_the_same() {
    let greedy = AskOptions { max_tokens: 5, ..AskOptions::default() };
    let drawn = AskOptions { temperature: 1.2, seed: 9, ..greedy.clone() };
    for options in [greedy, drawn] {
        let (whole, steps) = conversation(&options, None);
        assert!(whole.iter().all(|answer| !answer.is_empty()) && steps > 14, "{whole:?}, {steps} steps");
        for failing in 0..steps {
            assert_eq!(conversation(&options, Some(failing)).0, whole, "after {failing} of {steps} steps");
        }
    }
}
