//! A model that comes in chunks: what is known when, and that nothing depends on how it was cut.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use loupe::{Opening, Result, Session, exec::AnyExecutor, gguf::Header, protocol::ModelInfo};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stages").join(name)).unwrap()
}

/// Pushes both files in turns, so many bytes of each at a time; also how many bytes of either had gone in.
fn open(files: [&[u8]; 2], bytes: usize) -> (usize, Result<Session>) {
    let mut opening = Opening::default();
    let longest = files[0].len().max(files[1].len());
    for start in (0..longest).step_by(bytes) {
        for (at, file) in files.into_iter().enumerate() {
            let chunk = &file[start.min(file.len())..(start + bytes).min(file.len())];
            if let Err(error) = opening.push(at, chunk) {
                return (start + bytes, Err(error));
            }
        }
    }
    (longest, opening.finish(AnyExecutor::cpu(1)))
}

fn info(files: [&[u8]; 2], bytes: usize) -> ModelInfo {
    open(files, bytes).1.unwrap().info().clone()
}

#[test]
fn chunks_of_any_size_make_the_same_model() {
    let (text, vision) = (fixture("micro-q8_0.gguf"), fixture("mmproj-micro-q8_0.gguf"));
    let whole = info([&text, &vision], usize::MAX / 2);
    for bytes in [1_000, 4_099, 65_536] {
        assert_eq!(info([&text, &vision], bytes), whole, "{bytes} bytes at a time");
        assert_eq!(info([&vision, &text], bytes), whole, "{bytes} bytes at a time, the encoder first");
    }
}

#[test]
fn files_that_are_no_model_are_refused_before_their_weights_have_come() {
    let (text, mut vision) = (fixture("micro-f32.gguf"), fixture("mmproj-micro-f32.gguf"));
    let name = vision.windows(10).position(|w| w == b"loupe.pair").unwrap();
    vision[name + 10 + 4 + 8] ^= 1; // the first letter of the pair's name, after its type and length
    let (used, refused) = open([&text, &vision], 1_000);
    assert!(refused.err().unwrap().to_string().contains("not a pair"));
    let headers = [&text, &vision].map(|file| Header::parse(file).unwrap().unwrap().data_start);
    // A header is parsed anew each time twice as much of it has come.
    assert!(used <= 2 * headers.into_iter().max().unwrap() + 1_000, "{used} of {headers:?}");
    assert!(used < text.len());
}

#[test]
fn a_file_that_ends_early_says_where() {
    let (text, vision) = (fixture("micro-f32.gguf"), fixture("mmproj-micro-f32.gguf"));
    for (cut, part) in [(300, "inside its header"), (text.len() - 1, "ends early")] {
        let error = open([&text[..cut], &vision], 4_096).1.err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }
}
