//! A file server for tests that can be told to misbehave.
#![allow(clippy::unwrap_used, dead_code, missing_docs)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// The first byte of the range asked for, and the last where it is named.
    pub range: Option<(usize, Option<usize>)>,
    pub if_range: Option<String>,
    /// How many requests for this path came before.
    pub before: usize,
}

/// How it is answered; the default is honest.
#[derive(Clone, Default)]
pub struct Manner {
    /// This status, without a body.
    pub status: Option<u16>,
    /// These bytes in place of the file's.
    pub bytes: Option<Vec<u8>>,
    pub etag: Option<String>,
    /// Ranges are ignored: 200 and the whole.
    pub rangeless: bool,
    /// The connection is closed after so many bytes of the body.
    pub cut: Option<usize>,
    /// Nothing more comes after so many bytes of the body.
    pub stall: Option<usize>,
    /// This byte of the file is another.
    pub flip: Option<usize>,
}

pub struct Server {
    pub address: String,
    heard: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves these files until the process ends.
    pub fn start(files: &[(&str, &[u8])], manner: impl Fn(&Request) -> Manner + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files: BTreeMap<String, Vec<u8>> = files.iter().map(|(p, b)| ((*p).to_owned(), b.to_vec())).collect();
        let (files, manner, heard) = (Arc::new(files), Arc::new(manner), Arc::<Mutex<Vec<Request>>>::default());
        let log = heard.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, manner, log) = (files.clone(), manner.clone(), log.clone());
                thread::spawn(move || answer(&stream.unwrap(), &files, &*manner, &log));
            }
        });
        Self { address, heard }
    }

    /// All requests so far.
    pub fn heard(&self) -> Vec<Request> {
        self.heard.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: &TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    manner: &dyn Fn(&Request) -> Manner,
    log: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request { method: words.next()?, path: words.next()?, range: None, if_range: None, before: 0 };
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
                request.range = Some((from.parse().ok()?, to.parse().ok()));
            }
            "if-range" => request.if_range = Some(value.to_owned()),
            _ => {}
        }
    }
    {
        let mut log = log.lock().unwrap();
        request.before = log.iter().filter(|heard| heard.path == request.path).count();
        log.push(request.clone());
    }
    let manner = manner(&request);
    let path = request.path.split('?').next()?;
    let Some(mut bytes) = manner.bytes.or_else(|| files.get(path).cloned()) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
    };
    if let Some(status) = manner.status {
        return write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
    }
    if let Some(at) = manner.flip {
        bytes[at] ^= 1;
    }
    let same = request.if_range.is_none() || request.if_range == manner.etag;
    let size = bytes.len();
    let etag = manner.etag.map_or_else(String::new, |etag| format!("ETag: {etag}\r\n"));
    let (head, body) = match request.range.filter(|_| !manner.rangeless && same) {
        Some((from, _)) if from >= size => (format!("416 So\r\nContent-Range: bytes */{size}\r\n"), &[][..]),
        Some((from, to)) => {
            let to = to.map_or(size, |to| size.min(to + 1));
            (format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{size}\r\n", to - 1), &bytes[from..to])
        }
        None => ("200 OK\r\n".to_owned(), &bytes[..]),
    };
    write!(stream, "HTTP/1.1 {head}{etag}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    let end = manner.cut.or(manner.stall).map_or(body.len(), |end| end.min(body.len()));
    stream.write_all(&body[..end]).ok()?;
    if manner.stall.is_some_and(|end| end < body.len()) {
        thread::sleep(Duration::from_secs(20));
    }
    Some(())
}
