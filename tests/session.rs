//! Conversations with a tiny model of random weights: what is kept, what is computed again, and what cannot go wrong.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use loupe::{
    ErrorKind, Session, Source,
    gguf::File,
    protocol::{Answer, AskOptions, Event, Exchange, Finish, Phase},
};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn file(name: &str) -> File {
    File::read(&fixture(&format!("stages/{name}.gguf"))[..]).unwrap()
}

fn session() -> Session {
    Session::open(file("micro-f32"), file("mmproj-micro-f32")).unwrap()
}

/// A picture of `width × height` whose pixels depend on the seed.
fn picture(width: u32, height: u32, seed: u32) -> Source {
    let pixel = |i: u32| [(i * 7 + seed * 50) as u8, (i / width * 3) as u8, (seed * 91) as u8, 255];
    Source::Rgba { width, height, pixels: (0..width * height).flat_map(pixel).collect() }
}

fn drain(session: &mut Session) -> Vec<Event> {
    let mut all = Vec::new();
    while let Some(events) = pollster::block_on(session.step()) {
        all.extend(events);
    }
    all
}

fn short() -> AskOptions {
    AskOptions { max_tokens: 6, ..AskOptions::default() }
}

#[track_caller]
fn answer(events: &[Event], id: u32) -> Answer {
    let done = events.iter().find_map(|e| match e {
        Event::Done { id: done, answer } if *done == id => Some(answer.clone()),
        _ => None,
    });
    done.unwrap_or_else(|| panic!("no answer {id} among {events:?}"))
}

#[track_caller]
fn failure(events: &[Event]) -> (ErrorKind, String) {
    let failed = events.iter().find_map(|e| match e {
        Event::Failed { kind, message, .. } => Some((*kind, message.clone())),
        _ => None,
    });
    failed.unwrap_or_else(|| panic!("nothing failed among {events:?}"))
}

fn encoded_views(events: &[Event]) -> usize {
    events.iter().filter(|e| matches!(e, Event::Progress { phase: Phase::Encode, done: 1.., .. })).count()
}

#[test]
fn a_picture_is_encoded_once_and_a_prompt_read_once() {
    let mut s = session();
    s.see(1, picture(110, 104, 1));
    s.ask(1, "How many?", short());
    let first = drain(&mut s);
    let Some(Event::Sliced { layout, .. }) = first.iter().find(|e| matches!(e, Event::Sliced { .. })) else {
        panic!("no layout among {first:?}")
    };
    assert_eq!((layout.columns, layout.rows, encoded_views(&first)), (2, 2, 5));
    let a = answer(&first, 1);
    assert_eq!((a.usage.cached_tokens, a.usage.picture_tokens), (0, layout.tokens));
    let streamed: String = first
        .iter()
        .filter_map(|e| if let Event::Token { text, .. } = e { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(streamed, a.text, "what was streamed is the answer");

    s.ask(2, "And red ones?", short());
    let second = drain(&mut s);
    let b = answer(&second, 2);
    assert_eq!(encoded_views(&second), 0, "the second question encodes nothing");
    assert!(b.usage.cached_tokens > layout.tokens, "the picture is found in the cache: {:?}", b.usage);
    assert!(b.usage.prompt_tokens > a.usage.prompt_tokens + a.usage.answer_tokens);
}

#[test]
fn a_picture_that_is_looked_at_less_closely_takes_fewer_views_and_tokens() {
    let mut s = session();
    let looks = [(Some(0), (0, 0, 1)), (Some(2), (2, 1, 3)), (Some(9), (2, 2, 5)), (None, (2, 2, 5))];
    let mut tokens = Vec::new();
    for (id, (most, expected)) in (1..).zip(looks) {
        s.see_cut(id, picture(110, 104, 1), most);
        let events = drain(&mut s);
        let layout = events.iter().find_map(|e| if let Event::Sliced { layout, .. } = e { Some(layout) } else { None });
        let layout = layout.unwrap_or_else(|| panic!("no layout among {events:?}"));
        assert_eq!((layout.columns, layout.rows, encoded_views(&events)), expected, "at most {most:?}");
        tokens.push(layout.tokens);
    }
    assert!(tokens[0] < tokens[1] && tokens[1] < tokens[2] && tokens[2] == tokens[3], "{tokens:?}");
}

#[test]
fn a_warm_conversation_answers_as_a_cold_one() {
    let questions = ["How many circles?", "What is written?", "Is it red?"];
    let warm: Vec<String> = {
        let mut s = session();
        s.see(1, picture(100, 50, 2));
        (0..)
            .zip(questions)
            .map(|(id, q)| {
                s.ask(id, q, short());
                answer(&drain(&mut s), id).text
            })
            .collect()
    };
    // A new session is given the same turns; `forget` makes it read everything again before each.
    let mut s = session();
    s.see(1, picture(100, 50, 2));
    for (id, q) in (0..).zip(questions) {
        s.ask(id, q, short());
        assert_eq!(answer(&drain(&mut s), id).text, warm[id as usize]);
    }
    let mut alone = session();
    alone.see(9, picture(100, 50, 2));
    alone.ask(1, "What is written?", short());
    let cold = answer(&drain(&mut alone), 1).text;
    s.forget(false);
    s.ask(7, "What is written?", short());
    let events = drain(&mut s);
    assert_eq!(answer(&events, 7).text, cold, "a forgotten conversation leaves no trace");
    assert_eq!(encoded_views(&events), 0, "the picture was kept");
}

#[test]
fn a_conversation_that_was_had_elsewhere_is_gone_on_with() {
    let mut s = session();
    s.see(1, picture(110, 104, 1));
    s.ask(1, "How many?", short());
    let had = answer(&drain(&mut s), 1);
    s.ask(2, "Which colour?", short());
    let wanted = answer(&drain(&mut s), 2);
    let history = vec![Exchange { pictures: 1, question: "How many?".into(), answer: had.text }];

    // By the same session, which need not read it again, and by one that never had it.
    s.ask(3, "Something else.", short());
    s.ask_after(history.clone(), 4, "Which colour?", short());
    let again = answer(&drain(&mut s), 4);
    assert_eq!((again.text.as_str(), again.usage.prompt_tokens), (wanted.text.as_str(), wanted.usage.prompt_tokens));
    assert!(again.usage.cached_tokens >= wanted.usage.cached_tokens, "{:?}", again.usage);
    let mut other = session();
    other.see(1, picture(110, 104, 1));
    other.ask_after(history.clone(), 5, "Which colour?", short());
    let cold = answer(&drain(&mut other), 5);
    assert_eq!((cold.text.as_str(), cold.usage.cached_tokens), (wanted.text.as_str(), 0));

    // It is the conversation from then on, and none again when it is empty.
    other.ask(6, "And now?", short());
    let more = answer(&drain(&mut other), 6);
    assert!(more.usage.prompt_tokens > cold.usage.prompt_tokens);
    other.ask_after(Vec::new(), 7, "How many?", short());
    assert!(answer(&drain(&mut other), 7).usage.prompt_tokens < cold.usage.prompt_tokens);

    let [mut more_than_seen, mut backwards] = [history.clone(), [history.clone(), history].concat()];
    more_than_seen[0].pictures = 2;
    backwards[1].pictures = 0;
    for wrong in [more_than_seen, backwards] {
        other.ask_after(wrong, 8, "How many?", short());
        let (kind, message) = failure(&drain(&mut other));
        assert_eq!(kind, ErrorKind::Usage, "{message}");
    }
    other.ask(9, "How many?", short());
    answer(&drain(&mut other), 9);
}

#[test]
fn several_pictures_share_a_conversation() {
    let mut s = session();
    s.see(1, picture(50, 40, 1));
    s.see(2, picture(40, 50, 2));
    s.ask(1, "Which is red?", short());
    let one = answer(&drain(&mut s), 1);
    assert_eq!(one.usage.picture_tokens, 8, "two overviews of four rows");
    s.see(3, picture(50, 40, 3));
    s.ask(2, "And this?", short());
    let two = answer(&drain(&mut s), 2);
    assert_eq!(two.usage.picture_tokens, 12);
    assert!(two.usage.cached_tokens >= one.usage.prompt_tokens - 1, "the first turn stands");
    s.forget(true);
    s.ask(3, "Anything?", short());
    assert_eq!(failure(&drain(&mut s)).0, ErrorKind::Usage, "there is no picture any more");
}

#[test]
fn stopping_keeps_what_was_said() {
    let mut s = session();
    s.see(1, picture(50, 40, 1));
    s.ask(1, "Tell me all", AskOptions { max_tokens: 400, ..AskOptions::default() });
    s.ask(2, "never asked", short());
    let mut said = String::new();
    while said.len() < 5 {
        for event in pollster::block_on(s.step()).unwrap() {
            if let Event::Token { text, .. } = event {
                said.push_str(&text);
            }
        }
    }
    let stopped = s.stop(1);
    let a = answer(&stopped, 1);
    assert_eq!(a.finish, Finish::Abort);
    assert!(a.text.starts_with(&said) && a.usage.answer_tokens > 0);
    assert_eq!(answer(&s.stop(2), 2).finish, Finish::Abort, "a queued question is stopped too");
    assert!(drain(&mut s).is_empty(), "nothing goes on");
    s.ask(3, "And now?", short());
    assert!(answer(&drain(&mut s), 3).usage.cached_tokens > 0);

    s.forget(false);
    s.ask(4, "Quick", short());
    pollster::block_on(s.step());
    pollster::block_on(s.step());
    assert_eq!(answer(&s.stop(4), 4).text, "");
    s.ask(5, "Quick", short());
    let once = answer(&drain(&mut s), 5).usage.prompt_tokens;
    s.forget(false);
    s.ask(6, "Quick", short());
    assert_eq!(
        answer(&drain(&mut s), 6).usage.prompt_tokens,
        once,
        "stopped before a word, a question was never asked"
    );

    s.see(4, picture(110, 104, 4));
    s.see(5, picture(110, 104, 5));
    pollster::block_on(s.step());
    pollster::block_on(s.step());
    let events = s.stop(0);
    assert_eq!(events, [Event::Stopped { picture: 4 }, Event::Stopped { picture: 5 }]);
    assert!(drain(&mut s).is_empty());
    assert!(s.stop(77).is_empty(), "stopping what is not there is no event");
}

#[test]
fn the_limits_of_length_are_kept() {
    let mut s = session();
    s.see(1, picture(50, 40, 1));
    s.ask(1, "x", AskOptions { max_tokens: 0, ..AskOptions::default() });
    let a = answer(&drain(&mut s), 1);
    assert_eq!((a.text.as_str(), a.finish), ("", Finish::Length));
    s.ask(2, "x", AskOptions { max_tokens: 100_000, ..AskOptions::default() });
    let a = answer(&drain(&mut s), 2);
    let context = s.info().context;
    if a.finish == Finish::Length {
        assert_eq!(a.usage.prompt_tokens + a.usage.answer_tokens, context, "it stops at the end of the context");
    }
}

#[test]
fn a_seed_gives_the_same_answer_again() {
    let ask = |seed: u32| {
        let mut s = session();
        s.see(1, picture(50, 40, 1));
        s.ask(1, "x", AskOptions { max_tokens: 24, temperature: 20.0, seed, ..AskOptions::default() });
        answer(&drain(&mut s), 1).text
    };
    assert_eq!(ask(5), ask(5));
    assert!((0..5).any(|seed| ask(seed) != ask(5)), "seeds differ");
}

#[test]
fn every_bad_input_is_one_sentence_and_the_next_question_is_answered() {
    let mut s = session();
    s.see(1, picture(50, 40, 1));
    drain(&mut s);
    let long = "many words ".repeat(400);
    let questions: Vec<(&str, ErrorKind, &str)> = vec![
        ("", ErrorKind::Usage, "empty"),
        (" \n\t", ErrorKind::Usage, "empty"),
        (&long, ErrorKind::Usage, "tokens"),
    ];
    let pictures: Vec<(Vec<u8>, &str)> =
        vec![(vec![], "empty"), (b"just words".to_vec(), ""), (fixture("stages/micro-f32.gguf"), "")];
    let check = |s: &mut Session, kind: ErrorKind, word: &str| {
        let (got, message) = failure(&drain(s));
        assert_eq!(got, kind, "{message}");
        assert!(message.contains(word) && message.ends_with('.') && !message.contains('\n'), "{message}");
        s.ask(9, "Still there?", short());
        assert_eq!(answer(&drain(s), 9).usage.picture_tokens, 4, "the session goes on");
        s.forget(false);
    };
    for (question, kind, word) in questions {
        s.ask(1, question, short());
        check(&mut s, kind, word);
    }
    for (bytes, word) in pictures {
        s.see(2, Source::Encoded(bytes));
        check(&mut s, ErrorKind::Picture, word);
    }
    s.ask(1, "x", AskOptions { temperature: -1.0, ..AskOptions::default() });
    check(&mut s, ErrorKind::Usage, "temperature");
    s.see(2, Source::Rgba { width: 3, height: 3, pixels: vec![0; 5] });
    drain(&mut s);
}

#[test]
fn files_that_are_no_pair_are_refused() {
    let refused = |a: File, b: File| {
        let e = Session::open(a, b).err().expect("this is no pair");
        assert_eq!(e.kind(), ErrorKind::Model, "{e}");
        e.to_string()
    };
    refused(file("micro-f32"), file("micro-f32"));
    refused(file("mmproj-micro-f32"), file("mmproj-micro-f32"));
    let mut other = fixture("stages/mmproj-micro-f32.gguf");
    let name = other.windows(10).position(|w| w == b"loupe.pair").unwrap();
    other[name + 10 + 4 + 8] ^= 1; // the first letter of the pair's name, after its type and length
    assert!(refused(file("micro-f32"), File::read(&other[..]).unwrap()).contains("not a pair"));
    let mut missing = file("mmproj-micro-f32");
    missing.header.tensors.retain(|t| t.name != "v.blk.1.ffn_up.weight");
    assert!(refused(file("micro-f32"), missing).contains("v.blk.1.ffn_up.weight"));
    // In either order a pair is a pair.
    assert!(Session::open(file("mmproj-micro-f32"), file("micro-f32")).is_ok());
}

#[test]
fn a_picture_that_is_remembered_is_not_looked_at_again() {
    let mut one = session();
    one.see(4, picture(110, 104, 1));
    one.ask(1, "How many?", short());
    let first = drain(&mut one);
    let bytes = one.remembered(4).unwrap();
    assert_eq!(one.remembered(5), None);

    let mut other = session();
    other.see_again(7, &bytes).unwrap();
    other.ask(1, "How many?", short());
    let second = drain(&mut other);
    assert_eq!((answer(&second, 1).text, encoded_views(&second)), (answer(&first, 1).text, 0));
    assert_eq!(answer(&second, 1).usage.picture_tokens, answer(&first, 1).usage.picture_tokens);
    assert!(second.iter().any(|e| matches!(e, Event::Sliced { picture: 7, layout } if layout.columns == 2)));
    assert!(second.iter().any(|e| matches!(e, Event::Seen { picture: 7, .. })));
    assert_eq!(other.remembered(7).unwrap(), bytes);
}

#[test]
fn what_is_remembered_of_a_picture_is_refused_when_it_is_damaged_or_anothers() {
    let mut s = session();
    s.see(1, picture(110, 104, 1));
    drain(&mut s);
    let bytes = s.remembered(1).unwrap();
    for cut in [0, 5, 16, 40, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(s.see_again(2, &bytes[..cut]).unwrap_err().kind(), ErrorKind::Damaged, "cut after {cut}");
    }
    for at in (0..bytes.len()).step_by(97) {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 0x10;
        assert_eq!(s.see_again(2, &spoilt).unwrap_err().kind(), ErrorKind::Damaged, "byte {at}");
    }
    let mut other = Session::open(file("micro-q8_0"), file("mmproj-micro-q8_0")).unwrap();
    let error = other.see_again(1, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().ends_with('.'));
}
