//! The command line with models from elsewhere: by manifest, by address, by name on a hub; and again without a network.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest, Sha256};

#[path = "support/server.rs"]
mod server;

use server::{Manner, Server};

const TEXT: &str = "micro-q8_0.gguf";
const VISION: &str = "mmproj-micro-q8_0.gguf";

fn model(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stages").join(name)).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A manifest of both files, and what a hub says of them.
fn descriptions() -> [String; 2] {
    let (text, vision) = (model(TEXT), model(VISION));
    let file =
        |name: &str, bytes: &[u8]| format!(r#"{{"url":"{name}","size":{},"sha256":"{}"}}"#, bytes.len(), sha256(bytes));
    let sibling = |name: &str, bytes: &[u8]| {
        let (size, hash) = (bytes.len(), sha256(bytes));
        format!(r#"{{"rfilename":"{name}","size":{size},"lfs":{{"sha256":"{hash}","size":{size},"pointerSize":134}}}}"#)
    };
    [
        format!(r#"{{"version":1,"files":[{},{}]}}"#, file(TEXT, &text), file(VISION, &vision)),
        format!(r#"{{"sha":"c0ffee","siblings":[{},{}]}}"#, sibling(TEXT, &text), sibling(VISION, &vision)),
    ]
}

/// A server of a model in all ways, and the switch that takes it off the network.
fn serve() -> (Server, Arc<AtomicBool>) {
    let (text, vision, [manifest, listing]) = (model(TEXT), model(VISION), descriptions());
    let down = Arc::<AtomicBool>::default();
    let off = down.clone();
    let server = Server::start(
        &[
            ("/m/micro-q8_0.gguf", &text),
            ("/m/mmproj-micro-q8_0.gguf", &vision),
            ("/m/model.json", manifest.as_bytes()),
            ("/api/models/o/r/revision/main", listing.as_bytes()),
            ("/o/r/resolve/c0ffee/micro-q8_0.gguf", &text),
            ("/o/r/resolve/c0ffee/mmproj-micro-q8_0.gguf", &vision),
        ],
        move |_| Manner {
            status: off.load(Ordering::Relaxed).then_some(503),
            etag: Some("\"1\"".into()),
            ..Manner::default()
        },
    );
    (server, down)
}

struct Desk {
    cache: PathBuf,
    picture: PathBuf,
}

impl Desk {
    fn new(test: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("remote-{test}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/app/samples/shapes.png");
        Self { cache: dir.join("cache"), picture }
    }

    fn ask(&self, model: &str, hub: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
        let args =
            ["ask", self.picture.to_str().unwrap(), "How many?", "--max-tokens", "4", "--json", "--model", model];
        command.args(args).env("LOUPE_CACHE", &self.cache).env("HF_ENDPOINT", hub).output().unwrap()
    }

    /// Asks, and the hash of the model that answered.
    #[track_caller]
    fn answered(&self, model: &str, hub: &str) -> String {
        let out = self.ask(model, hub);
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        report["modelHash"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn refused(&self, model: &str, hub: &str, code: i32, word: &str) {
        let out = self.ask(model, hub);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(word), "`{word}` is not in: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    }
}

#[test]
fn every_way_of_naming_a_model_fetches_it_once_and_works_without_a_network() {
    let mut hashes = Vec::new();
    for (test, name) in [
        ("manifest", "HERE/m/model.json"),
        ("addresses", "HERE/m/mmproj-micro-q8_0.gguf,HERE/m/micro-q8_0.gguf"),
        ("hub", "o/r:Q8_0"),
        ("hub-default", "o/r"),
    ] {
        let ((server, down), desk) = (serve(), Desk::new(test));
        let name = name.replace("HERE", &server.address);
        let first = desk.answered(&name, &server.address);
        assert_eq!(desk.answered(&name, &server.address), first);
        down.store(true, Ordering::Relaxed);
        assert_eq!(desk.answered(&name, &server.address), first, "{test}");
        let fetched = server.heard().iter().filter(|r| r.method == "GET" && r.path.ends_with(".gguf")).count();
        // Each header first, then each file.
        assert_eq!(fetched, 4, "{test}: {:?}", server.heard());
        hashes.push(first);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

#[test]
fn what_was_kept_and_is_damaged_is_not_used() {
    let ((server, _), desk) = (serve(), Desk::new("rot"));
    desk.answered("o/r", &server.address);
    let is_text = |path: &PathBuf| path.to_string_lossy().ends_with(&format!("-{TEXT}"));
    let kept = fs::read_dir(&desk.cache).unwrap().map(|e| e.unwrap().path()).find(is_text).unwrap();
    let mut bytes = fs::read(&kept).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&kept, &bytes).unwrap();
    desk.refused("o/r", &server.address, 4, "no longer what was fetched");
    // Cut short it is not even opened: it is fetched anew.
    fs::write(&kept, &bytes[..last]).unwrap();
    desk.answered("o/r", &server.address);
}

#[test]
fn a_file_that_changed_on_its_server_is_fetched_anew() {
    let (text, vision, changed) = (model(TEXT), model(VISION), Arc::<AtomicBool>::default());
    let now = changed.clone();
    let server = Server::start(&[("/micro.gguf", &text), ("/mmproj.gguf", &vision)], move |_| {
        let tag = if now.load(Ordering::Relaxed) { "\"2\"" } else { "\"1\"" };
        Manner { etag: Some(tag.into()), ..Manner::default() }
    });
    let desk = Desk::new("changed");
    let name = format!("{0}/micro.gguf,{0}/mmproj.gguf", server.address);
    desk.answered(&name, &server.address);
    changed.store(true, Ordering::Relaxed);
    desk.answered(&name, &server.address);
    // Two headers, two files, and both files again.
    assert_eq!(server.heard().iter().filter(|r| r.method == "GET").count(), 6);
}

#[test]
fn what_cannot_be_had_is_said_in_one_sentence() {
    let ((server, down), desk) = (serve(), Desk::new("sentences"));
    let here = &server.address;
    desk.refused("o/none", here, 5, "status 404");
    desk.refused("o/r:Q2_K", here, 4, "of the kind Q2_K");
    desk.refused(&format!("{here}/m/{TEXT}"), here, 4, "manifest");
    desk.refused(&format!("{here}/m/nothing.json"), here, 5, "status 404");
    desk.refused("http://127.0.0.1:1/model.json", here, 5, "could not be fetched");
    // A path that does not exist is no reason to ask a hub.
    let asked = server.heard().len();
    desk.refused("tests/nowhere", here, 2, "--model");
    assert_eq!(server.heard().len(), asked);
    down.store(true, Ordering::Relaxed);
    desk.refused("o/r", here, 5, "status 503");
}

#[test]
fn what_cannot_run_is_refused_before_its_weights_are_fetched() {
    let (mut text, vision) = (model(TEXT), model(VISION));
    let kind = text.windows(5).position(|bytes| bytes == b"llama").unwrap();
    text[kind] = b'k';
    let server = Server::start(&[("/m/text.gguf", &text), ("/m/mmproj.gguf", &vision)], |_| Manner::default());
    let desk = Desk::new("unknown");
    desk.refused(&format!("{0}/m/text.gguf,{0}/m/mmproj.gguf", server.address), "", 4, "`klama`");
    assert!(fetched(&desk.cache).is_empty(), "{:?}", fetched(&desk.cache));
}

#[test]
fn what_does_not_fit_is_refused_before_its_weights_are_fetched_or_read() {
    let ((server, _), desk) = (serve(), Desk::new("memory"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for model in ["o/r", folder.to_str().unwrap()] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
        command.args(["ask", desk.picture.to_str().unwrap(), "How many?", "--model", model]);
        command.env("LOUPE_CACHE", &desk.cache).env("HF_ENDPOINT", &server.address).env("LOUPE_MEMORY", "100000");
        let out = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("does not fit") && stderr.contains("0.00 GB are free"), "{stderr}");
    }
    assert!(fetched(&desk.cache).is_empty(), "{:?}", fetched(&desk.cache));
}

/// Files of models in a cache, whole or in part.
fn fetched(cache: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(cache).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains(".gguf")).collect()
}
