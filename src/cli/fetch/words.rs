//! What is said while a file is fetched, and when it cannot be.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use loupe::{
    error::{Error, ErrorKind},
    source::Remote,
};

/// How much, of how much and how fast, on one line of a terminal.
pub fn progress(name: &str) -> impl FnMut(u64, Option<u64>) {
    let (begun, mut first, mut told) = (Instant::now(), None, Instant::now() - Duration::from_secs(1));
    move |have, size| {
        let first = *first.get_or_insert(have);
        let done = size == Some(have);
        if told.elapsed() < Duration::from_millis(200) && !done {
            return;
        }
        told = Instant::now();
        let rate = (have - first) as f64 / begun.elapsed().as_secs_f64().max(0.001) / 1e6;
        let of = size.map_or_else(String::new, |size| format!(" of {:.1}", size as f64 / 1e6));
        eprint!("\rFetching {name}: {:.1}{of} MB, {rate:.1} MB/s{}", have as f64 / 1e6, if done { "\n" } else { " " });
    }
}

pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub fn unreachable(url: &str, why: &str) -> Error {
    Error::of_kind(
        ErrorKind::Network,
        format!("{url} could not be fetched ({why}); check the connection and the address, and try again."),
    )
}

pub fn refused(url: &str, status: u16) -> Error {
    let why = match status {
        401 | 403 => "the server does not give it to everybody",
        404 | 410 => "there is no such thing on the server",
        _ => "the server refuses",
    };
    Error::of_kind(ErrorKind::Network, format!("{url} could not be fetched: {why} (status {status})."))
}

pub fn damaged(remote: &Remote, why: &str) -> Error {
    Error::of_kind(
        ErrorKind::Damaged,
        format!(
            "{} is not the file that was meant: {why}. Try again; if it stays so, the file on the server is damaged.",
            remote.name()
        ),
    )
}

pub fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::of_kind(
        ErrorKind::Storage,
        format!(
            "{} could not be written ({error}); make room on the disk, or name another cache folder in LOUPE_CACHE.",
            path.display()
        ),
    )
    .because(error)
}
