//! Files turned into smaller ones: the blocks against those of gguf-py, the model against what it was.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{self, Cursor, Write},
    path::PathBuf,
};

use loupe::{
    ErrorKind, Session, Source,
    exec::AnyExecutor,
    gguf::{File, GgmlType},
    protocol::{AskOptions, Event},
    quantize::{SCHEMES, Scheme, quantize},
};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stages").join(name)).unwrap()
}

fn turned(name: &str, scheme: Scheme) -> File {
    let mut out = Vec::new();
    assert!(quantize(Cursor::new(fixture(name)), &mut out, scheme, &mut |_| true).unwrap());
    File::read(&out[..]).unwrap()
}

fn named(name: &str) -> Scheme {
    Scheme::named(name).unwrap()
}

/// What the model of two files says of a picture.
fn answer(text: File, vision: File) -> String {
    let mut session = Session::open_on(text, vision, AnyExecutor::cpu(1)).unwrap();
    let pixel = |i: u32| [(i * 7) as u8, (i / 100 * 3) as u8, 91, 255];
    session.see(0, Source::Rgba { width: 100, height: 70, pixels: (0..7_000).flat_map(pixel).collect() });
    session.ask(0, "How many?", AskOptions { max_tokens: 12, ..AskOptions::default() });
    let mut answer = None;
    while let Some(events) = pollster::block_on(session.step()) {
        for event in events {
            match event {
                Event::Done { answer: done, .. } => answer = Some(done.text),
                Event::Failed { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    }
    answer.unwrap()
}

#[test]
fn a_file_turned_into_what_it_is_stays_as_it_is() {
    for name in ["micro-f32.gguf", "mmproj-micro-f32.gguf"] {
        let (before, after) = (File::read(&fixture(name)[..]).unwrap(), turned(name, named("F32")));
        assert_eq!(before.tensors, after.tensors);
        for key in ["general.architecture", "general.name", "loupe.pair", "tokenizer.ggml.tokens"] {
            assert_eq!(before.header.get(key), after.header.get(key), "{key}");
        }
    }
}

#[test]
fn blocks_are_those_of_gguf_py() {
    for (name, scheme) in [("q8_0", "q8_0"), ("f16", "f16"), ("q4_0", "q4_0")] {
        for kind in ["micro", "mmproj-micro"] {
            let scheme = Scheme { fine: named(scheme).main, ..named(scheme) };
            let ours = turned(&format!("{kind}-f32.gguf"), scheme);
            let theirs = File::read(&fixture(&format!("{kind}-{name}.gguf"))[..]).unwrap();
            let same = |name: &&String| ours.tensors[*name].ggml_type == scheme.main;
            let quantised: Vec<_> = ours.tensors.keys().filter(same).collect();
            assert!(quantised.len() > 5);
            for tensor in quantised {
                // The numbers would fill the screen.
                assert!(ours.tensors[tensor] == theirs.tensors[tensor], "{tensor} in {name}");
            }
        }
    }
}

#[test]
fn every_type_makes_a_model_that_answers() {
    for scheme in SCHEMES {
        let (text, vision) = (turned("micro-f32.gguf", scheme), turned("mmproj-micro-f32.gguf", scheme));
        assert_eq!(text.header.size("general.file_type").unwrap_or(0), scheme.file_type as usize);
        answer(text, vision);
    }
}

#[test]
fn wider_rows_change_nothing() {
    // As wide as for blocks of 256, but in f32: the zeros that are added must not be seen in the answer.
    let wide = Scheme { multiple: 256, ..named("f32") };
    let (text, vision) = (turned("micro-f32.gguf", wide), turned("mmproj-micro-f32.gguf", wide));
    for (file, name) in [(&text, "blk.0.ffn_down.weight"), (&vision, "v.blk.1.ffn_down.weight")] {
        assert_eq!(file.tensors[name].shape, [32, 256]);
    }
    assert_eq!(vision.tensors["v.blk.0.ffn_up.bias"].shape, [256]);
    assert_eq!(vision.header.size("clip.vision.feed_forward_length").unwrap(), 256);
    let plain = answer(turned("micro-f32.gguf", named("f32")), turned("mmproj-micro-f32.gguf", named("f32")));
    assert_eq!(answer(text, vision), plain);
}

#[test]
fn rows_that_blocks_do_not_divide_are_widened_and_not_left_as_they_are() {
    let vision = turned("mmproj-micro-f32.gguf", named("q4_k_s"));
    let down = &vision.tensors["v.blk.0.ffn_down.weight"];
    assert_eq!((down.ggml_type, down.shape.as_slice()), (GgmlType::Q4_K, [32, 256].as_slice()));
}

#[test]
fn damaged_files_full_disks_and_stops_are_told() {
    let whole = fixture("micro-f32.gguf");
    for (cut, part) in [(100, "header"), (whole.len() - 100, "to its end")] {
        let error = quantize(Cursor::new(&whole[..cut]), &mut Vec::new(), named("q8_0"), &mut |_| true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.to_string().contains(part), "{error}");
    }

    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = quantize(Cursor::new(&whole), &mut Full(30_000), named("q8_0"), &mut |_| true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);

    let mut seen = 0;
    let done = quantize(Cursor::new(&whole), &mut Vec::new(), named("q8_0"), &mut |_| {
        seen += 1;
        seen < 3
    });
    assert!(!done.unwrap());
    assert_eq!(seen, 3);
}
