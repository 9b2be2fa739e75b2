//! GGUF files: whole, in chunks, cut anywhere, and hostile.

#![allow(clippy::unwrap_used)]

use loupe::{
    error::ErrorKind,
    gguf::{File, GgmlType, Header, Stream},
};

/// Writes a GGUF v3 file: metadata as given, then F32 tensors of these names and shapes (slowest first).
#[derive(Default)]
struct Writer {
    values: Vec<(String, u32, Vec<u8>)>,
    /// Name, shape (slowest first), type, place.
    tensors: Vec<(String, Vec<u64>, u32, u64)>,
    data: Vec<u8>,
}

fn text(s: &str) -> Vec<u8> {
    [&(s.len() as u64).to_le_bytes(), s.as_bytes()].concat()
}

impl Writer {
    fn value(mut self, key: &str, kind: u32, bytes: Vec<u8>) -> Self {
        self.values.push((key.into(), kind, bytes));
        self
    }

    fn tensor(mut self, name: &str, shape: &[u64], kind: u32, bytes: Vec<u8>) -> Self {
        let at = self.data.len() as u64;
        self.data.extend(&bytes);
        self.data.resize(self.data.len().next_multiple_of(32), 0);
        self.tensors.push((name.into(), shape.to_vec(), kind, at));
        self
    }

    fn file(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.values.len() as u64).to_le_bytes());
        for (key, kind, bytes) in &self.values {
            out.extend(text(key));
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        }
        for (name, shape, kind, at) in &self.tensors {
            out.extend(text(name));
            out.extend((shape.len() as u32).to_le_bytes());
            shape.iter().rev().for_each(|d| out.extend(d.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(at.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&self.data);
        out
    }
}

fn sample() -> Writer {
    let list: Vec<u8> = [8u32.to_le_bytes().to_vec(), 2u64.to_le_bytes().to_vec(), text("a"), text("é")].concat();
    let floats = |n: usize| (0..n).flat_map(|v| (v as f32).to_le_bytes()).collect::<Vec<u8>>();
    Writer::default()
        .value("name", 8, text("sample"))
        .value("words", 9, list)
        .value("small", 5, (-3i32).to_le_bytes().to_vec())
        .value("size", 4, 7u32.to_le_bytes().to_vec())
        .value("eps", 6, 0.5f32.to_le_bytes().to_vec())
        .tensor("matrix", &[2, 3], 0, floats(6))
        .tensor("blocks", &[1, 32], 8, vec![1; 34])
        .tensor("kernel", &[2, 3, 2, 2], 0, floats(24))
}

fn push_all(bytes: &[u8], chunk: usize) -> loupe::error::Result<File> {
    let mut stream = Stream::default();
    for part in bytes.chunks(chunk) {
        stream.push(part)?;
    }
    stream.finish()
}

#[test]
fn a_file_reads_the_same_in_chunks_of_any_size() {
    let bytes = sample().file();
    let whole = File::read(&bytes[..]).unwrap();
    assert_eq!(whole.header.text("name").unwrap(), "sample");
    assert_eq!(whole.header.size("size").unwrap(), 7);
    assert_eq!(whole.header.number("eps").unwrap(), 0.5);
    assert_eq!(whole.header.get("small").unwrap().signed(), Some(-3));
    assert_eq!(whole.header.list("words", |v| v.text().map(str::to_owned)).unwrap(), ["a", "é"]);
    assert_eq!(whole.tensors["matrix"].floats().unwrap(), [0., 1., 2., 3., 4., 5.]);
    assert_eq!(whole.tensors["kernel"].matrix(), [2, 12]);
    assert_eq!((whole.tensors["blocks"].ggml_type, whole.tensors["blocks"].data.len()), (GgmlType::Q8_0, 34));
    for chunk in [1, 2, 3, 31, 32, 33, 100, 1000] {
        let again = push_all(&bytes, chunk).unwrap();
        assert_eq!((&again.tensors, again.sha256), (&whole.tensors, whole.sha256), "chunks of {chunk}");
    }
}

#[test]
fn a_file_cut_at_any_byte_is_refused_in_one_sentence() {
    let bytes = sample().file();
    for cut in 0..bytes.len() {
        match push_all(&bytes[..cut], 50) {
            Ok(_) => panic!("cut at {cut} was taken for whole"),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Model);
                assert!(e.to_string().contains("download it again"), "cut at {cut}: {e}");
            }
        }
    }
}

#[test]
fn damage_is_found_and_named() {
    let good = sample().file();
    let mut wrong_magic = good.clone();
    wrong_magic[0] = b'P';
    let mut wrong_version = good.clone();
    wrong_version[4] = 9;
    let mut endless = good.clone();
    endless[16..24].fill(0xff);
    let twice = sample().tensor("matrix", &[1, 4], 0, vec![0; 16]).file();
    let unknown_type = sample().tensor("odd", &[1, 32], 77, vec![0; 32]).file();
    let ragged = sample().tensor("ragged", &[1, 33], 8, vec![0; 64]).file();
    let huge = sample().tensor("huge", &[1 << 27, 1 << 27], 0, vec![]).file();
    let empty = sample().tensor("empty", &[0, 4], 0, vec![]).file();
    let mut overlap = sample();
    overlap.tensors[1].3 = 0;
    let nested = {
        let mut bytes = Vec::new();
        for _ in 0..40 {
            bytes.extend(9u32.to_le_bytes());
            bytes.extend(1u64.to_le_bytes());
        }
        sample().value("nested", 9, bytes).file()
    };
    for (bytes, word) in [
        (wrong_magic, "GGUF"),
        (wrong_version, "version is 9"),
        (endless, "claims"),
        (twice, "twice"),
        (unknown_type, "unsupported type 77"),
        (ragged, "divide"),
        (huge, "2 GiB"),
        (empty, "empty"),
        (overlap.file(), "overlap"),
        (nested, "unknown kind 9"),
    ] {
        let e = push_all(&bytes, 64).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Model);
        assert!(e.to_string().contains(word), "expected `{word}` in: {e}");
    }
}

#[test]
fn any_flipped_byte_gives_an_answer_not_a_panic() {
    let good = sample().file();
    for at in 0..good.len() {
        for flip in [1u8, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            // Either it still reads or it is refused; what matters is that nothing else happens.
            if let Err(e) = push_all(&bytes, 97) {
                assert_eq!(e.kind(), ErrorKind::Model);
            }
        }
    }
}

#[test]
fn missing_and_wrong_values_are_named() {
    let header = Header::parse(&sample().file()).unwrap().unwrap();
    for (error, key) in [
        (header.size("absent").unwrap_err(), "absent"),
        (header.size("small").unwrap_err(), "small"),
        (header.text("size").unwrap_err(), "size"),
        (header.number("name").unwrap_err(), "name"),
        (header.list("words", |v| v.unsigned()).unwrap_err(), "words"),
    ] {
        assert!(error.to_string().contains(key), "{error}");
    }
}
