//! Against a server that cuts, stalls, lies and changes its mind.
#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use loupe::source::Chunks;
use sha2::{Digest, Sha256};

use super::*;

#[path = "../../../tests/support/server.rs"]
mod server;

use server::{Manner, Server};

fn file() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fetcher() -> Fetcher {
    Fetcher::new(Duration::from_millis(300), Duration::from_millis(5))
}

/// A path in a folder of the test's own, emptied first.
fn place(test: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("loupe-fetch-{}-{test}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder.join("m.gguf")
}

fn remote(server: &Server) -> Remote {
    Remote { url: format!("{}/m.gguf", server.address), size: None, sha256: None, chunks: None }
}

fn tagged() -> Manner {
    Manner { etag: Some("\"1\"".into()), ..Manner::default() }
}

fn fetch(remote: &Remote, path: &Path) -> Result<Record> {
    fetcher().file(remote, path, &mut |_, _| ())
}

#[test]
fn a_file_that_is_cut_again_and_again_comes_whole_and_no_byte_twice() {
    let bytes = file();
    let server = Server::start(&[("/m.gguf", &bytes)], |r| Manner { cut: Some(70_000 + r.before), ..tagged() });
    let path = place("cut");
    let mut told = Vec::new();
    let record = fetcher().file(&remote(&server), &path, &mut |have, size| told.push((have, size))).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(record.sha256, Some(sha256(&bytes)));
    assert!(told.is_sorted() && told.last() == Some(&(300_000, Some(300_000))), "{:?}", told.last());
    let starts: Vec<_> = server.heard().iter().map(|r| r.range.map_or(0, |(from, _)| from)).collect();
    assert_eq!(starts.len(), 5);
    assert!(starts.windows(2).all(|pair| pair[1] >= pair[0] + 70_000), "{starts:?}");
    assert!(!with_suffix(&path, "part").exists() && !with_suffix(&path, "part.json").exists());
}

#[test]
fn a_stall_is_not_waited_for_and_the_rest_is_fetched_later() {
    let bytes = file();
    let server = Server::start(&[("/m.gguf", &bytes)], |r| Manner {
        stall: (r.before < 5).then_some(if r.before == 0 { 100_000 } else { 0 }),
        ..tagged()
    });
    let path = place("stall");
    let error = fetch(&remote(&server), &path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert!(!path.exists());
    assert_eq!(fs::metadata(with_suffix(&path, "part")).unwrap().len(), 100_000);
    fetch(&remote(&server), &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert!(server.heard()[1..].iter().all(|r| r.range == Some((100_000, None))), "{:?}", server.heard());
}

#[test]
fn a_server_without_ranges_begins_anew_and_is_believed_only_whole() {
    let bytes = file();
    let server = Server::start(&[("/m.gguf", &bytes)], |r| Manner {
        rangeless: true,
        cut: (r.before < 2).then_some(200_000),
        ..tagged()
    });
    let path = place("rangeless");
    fetch(&remote(&server), &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn versions_are_never_mixed() {
    for (test, tag) in [("tagged", Some("\"2\"")), ("weak", Some("W/\"1\"")), ("untagged", None)] {
        let (old, new) = (file(), file().iter().map(|b| b ^ 0x55).collect::<Vec<_>>());
        let other = new.clone();
        let server = Server::start(&[("/m.gguf", &old)], move |r| match r.before {
            0 => Manner { cut: Some(100_000), etag: tag.map(|_| "\"1\"".into()), ..Manner::default() },
            _ => Manner { bytes: Some(other.clone()), etag: tag.map(Into::into), ..Manner::default() },
        });
        let path = place(test);
        fetch(&remote(&server), &path).unwrap();
        assert!(fs::read(&path).unwrap() == new, "{test}");
    }
}

#[test]
fn a_part_of_which_nobody_knows_the_version_is_not_gone_on_with() {
    let bytes = file();
    let server = Server::start(&[("/m.gguf", &bytes)], |r| Manner {
        status: (1..6).contains(&r.before).then_some(503),
        cut: (r.before == 0).then_some(100_000),
        ..Manner::default()
    });
    let path = place("unknown");
    assert_eq!(fetch(&remote(&server), &path).unwrap_err().kind(), ErrorKind::Network);
    fetch(&remote(&server), &path).unwrap();
    assert_eq!(server.heard().last().unwrap().range, None);
}

#[test]
fn a_wrong_byte_is_mended_with_chunks_and_refused_with_a_hash() {
    let bytes = file();
    let hashed = |server: &Server| Remote { size: Some(300_000), sha256: Some(sha256(&bytes)), ..remote(server) };
    let flip_first = |r: &server::Request| Manner { flip: (r.before == 0).then_some(150_000), ..tagged() };
    let server = Server::start(&[("/m.gguf", &bytes)], flip_first);
    let path = place("flip");
    let chunks = Chunks { size: 65_536, sha256: bytes.chunks(65_536).map(sha256).collect() };
    fetch(&Remote { chunks: Some(chunks), ..hashed(&server) }, &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(server.heard()[1..].iter().map(|r| r.range).collect::<Vec<_>>(), [Some((131_072, Some(196_607)))]);

    let server = Server::start(&[("/m.gguf", &bytes)], flip_first);
    let path = place("flip-hash");
    let error = fetch(&hashed(&server), &path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(!path.exists() && !with_suffix(&path, "part").exists());
    fetch(&hashed(&server), &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_of_another_size_or_none_at_all_is_refused_at_once() {
    let bytes = file();
    let server = Server::start(&[("/m.gguf", &bytes)], |_| tagged());
    let error = fetch(&Remote { size: Some(300_001), ..remote(&server) }, &place("size")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let error =
        fetch(&Remote { url: format!("{}/x.gguf", server.address), ..remote(&server) }, &place("none")).unwrap_err();
    assert!(error.to_string().contains("status 404"), "{error}");
    let error =
        fetch(&Remote { url: "http://127.0.0.1:1/m.gguf".into(), ..remote(&server) }, &place("dead")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
}

#[test]
fn a_download_that_is_killed_anywhere_goes_on_where_it_was() {
    let bytes = file();
    let path = place("kill");
    let server = Server::start(&[("/m.gguf", &bytes)], |_| tagged());
    let fetched = AtomicUsize::new(0);
    // What a kill leaves is a part of any length beside its record.
    for have in [0, 1, 65_535, 65_536, 299_999, 300_000] {
        fs::remove_file(&path).ok();
        fs::write(with_suffix(&path, "part"), &bytes[..have]).unwrap();
        let record =
            Record { url: remote(&server).url, validator: Some("\"1\"".into()), size: Some(300_000), sha256: None };
        record.write(&with_suffix(&path, "part")).unwrap();
        fetcher().file(&remote(&server), &path, &mut |_, _| _ = fetched.fetch_add(1, Ordering::Relaxed)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "{have}");
    }
    let ranges: Vec<_> = server.heard().iter().map(|r| r.range.map(|(from, _)| from)).collect();
    assert_eq!(ranges, [None, Some(1), Some(65_535), Some(65_536), Some(299_999)]);
    assert!(fetched.into_inner() > 0);
}
