//! A file server for this machine alone.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Component, Path, PathBuf},
    thread,
    time::Duration,
};

use crate::steps::Done;

/// How many ports are tried after the one that was asked for.
const TRIES: u16 = 20;

/// Serves the files of one folder on 127.0.0.1.
pub struct Server {
    folder: PathBuf,
    listener: TcpListener,
}

impl Server {
    /// Takes `port`, or the next one that is free.
    pub fn bind(folder: PathBuf, port: u16) -> Done<Self> {
        let last = port.saturating_add(TRIES);
        let listener = (port..=last).find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        let listener =
            listener.ok_or_else(|| format!("every port from {port} to {last} is taken; name another with --port"))?;
        Ok(Self { folder, listener })
    }

    /// Where the page is.
    pub fn address(&self) -> String {
        self.listener.local_addr().map_or_else(|error| error.to_string(), |address| format!("http://{address}/"))
    }

    /// Serves until the process ends.
    pub fn run(self) -> Done {
        for stream in self.listener.incoming() {
            let folder = self.folder.clone();
            // A visitor who leaves in the middle of a file is no reason to stop.
            thread::spawn(move || stream.and_then(|stream| answer(&folder, stream)).ok());
        }
        Ok(())
    }
}

/// What lets a page share memory among threads: nothing of another origin may get into it unasked.
const ISOLATED: &str = "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n";

/// Answers one request and closes the connection.
fn answer(folder: &Path, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The headers are read to their end, or the browser sees the connection reset.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}

    let mut words = request.split(' ');
    let (method, address) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !matches!(method, "GET" | "HEAD") {
        return refuse(&mut stream, "405 Method Not Allowed");
    }
    let Some(path) = file_of(folder, address) else {
        return refuse(&mut stream, "404 Not Found");
    };
    let Ok(body) = fs::read(&path) else {
        return refuse(&mut stream, "404 Not Found");
    };
    // Names under assets/ hold a hash of what is in them.
    let cache = if address.contains("/assets/") { "max-age=31536000, immutable" } else { "no-cache" };
    // `?isolated=no` has the page as a host gives it that knows nothing of threads.
    let isolation = if address.contains("isolated=no") { "" } else { ISOLATED };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: {cache}\r\n{isolation}\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        media_type(&path),
        body.len(),
    )?;
    if method == "GET" { stream.write_all(&body) } else { Ok(()) }
}

fn refuse(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// The file that an address names; none outside `folder`.
fn file_of(folder: &Path, address: &str) -> Option<PathBuf> {
    let path = address.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| folder.join(path))
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_in_the_folder() {
        let folder = Path::new("dist");
        for (address, file) in [
            ("/", Some("dist/index.html")),
            ("/?text=a.gguf", Some("dist/index.html")),
            ("/assets/a.js", Some("dist/assets/a.js")),
            ("/../secret", None),
            ("//etc/passwd", None),
            ("/a/../../secret", None),
            ("assets/a.js", None),
        ] {
            assert_eq!(file_of(folder, address), file.map(PathBuf::from), "{address}");
        }
    }
}
