//! Fetching a file so that nothing is fetched twice: what has come stays on the disk and is gone on with, and what is in its
//! place at the end is the file that was meant.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use loupe::{
    error::{Error, ErrorKind, Result},
    source::Remote,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ureq::{Agent, Body, http::Response};

#[cfg(test)]
mod tests;

/// How often a file is tried again without a byte having come in between.
const TRIES: u32 = 5;
/// How often a part whose hash is wrong is fetched again.
const MENDINGS: usize = 2;

/// What fetches, and how long it waits.
pub struct Fetcher {
    agent: Agent,
    /// The pause before the first new try; it doubles with each.
    pause: Duration,
}

/// What is known of a file beside its bytes; lies next to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Where it came from.
    pub url: String,
    /// What the server calls this version of it: a strong `ETag`, or when it was last modified.
    pub validator: Option<String>,
    /// Bytes of the whole.
    pub size: Option<u64>,
    /// SHA-256 of the whole, once it has come.
    pub sha256: Option<String>,
}

/// How a request for the rest of a file ended.
enum Piece {
    /// There is nothing more to come.
    Last,
    /// Something is missing still, because of this.
    Missing(Error),
}

/// Hears how many bytes of the file there are, and of how many.
pub type Report<'r> = &'r mut dyn FnMut(u64, Option<u64>);

impl Fetcher {
    /// Waits at most `patience` for a connection and for each further byte.
    pub fn new(patience: Duration, pause: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .user_agent(concat!("loupe/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), pause }
    }

    /// The text at `url`, a manifest or a listing.
    ///
    /// # Errors
    /// A network error.
    pub fn text(&self, url: &str) -> Result<String> {
        let mut response = self.agent.get(url).call().map_err(|e| unreachable(url, &e.to_string()).because(e))?;
        if !response.status().is_success() {
            return Err(refused(url, response.status().as_u16()));
        }
        let bytes = response.body_mut().read_to_vec().map_err(|e| unreachable(url, &e.to_string()).because(e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What the server says of the file now, without its bytes.
    ///
    /// # Errors
    /// A network error.
    pub fn look(&self, url: &str) -> Result<Record> {
        let response = self.agent.head(url).call().map_err(|e| unreachable(url, &e.to_string()).because(e))?;
        if !response.status().is_success() {
            return Err(refused(url, response.status().as_u16()));
        }
        let size = header(&response, "content-length").and_then(|n| n.parse().ok());
        Ok(Record { url: url.to_owned(), validator: validator(&response), size, sha256: None })
    }

    /// Fetches a file to `path`, from where an earlier call was interrupted. While it comes it lies at `path.part`.
    ///
    /// # Errors
    /// A network error when the server cannot be reached or refuses, a damage error when what came is not what `remote`
    /// says, a storage error when it cannot be written.
    pub fn file(&self, remote: &Remote, path: &Path, report: Report) -> Result<Record> {
        let part = with_suffix(path, "part");
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&part);
        let mut file = open.map_err(|e| unwritable(&part, e))?;
        // Two at once would write over each other: the second waits, and finds the file whole.
        file.lock().map_err(|e| unwritable(&part, e))?;
        if let Some(record) = Record::read(path).filter(|record| record.is_of(remote) && path.exists()) {
            fs::remove_file(&part).ok();
            return Ok(record);
        }
        let mut record = Record::read(&part).filter(|record| record.is_resumable(remote)).unwrap_or_default();
        if record.url.is_empty() {
            record.begin(remote, &mut file, &part)?;
        }
        self.body(&mut file, &part, &mut record, remote, report)?;
        self.mend(&mut file, &part, remote)?;
        let sha256 = hash(&mut file, 0, u64::MAX).map_err(|e| unwritable(&part, e))?;
        if remote.sha256.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&sha256)) {
            discard(&part);
            return Err(damaged(remote, "its SHA-256 is not the one that was promised"));
        }
        record.sha256 = Some(sha256);
        file.sync_all().map_err(|e| unwritable(&part, e))?;
        record.write(path)?;
        fs::rename(&part, path).map_err(|e| unwritable(path, e))?;
        fs::remove_file(with_suffix(&part, "json")).ok();
        Ok(record)
    }

    /// Brings all bytes of the file, trying again as long as some come.
    fn body(&self, file: &mut File, part: &Path, record: &mut Record, remote: &Remote, report: Report) -> Result<()> {
        let mut tries = 0;
        loop {
            let have = file.seek(SeekFrom::End(0)).map_err(|e| unwritable(part, e))?;
            if have > 0 && record.size == Some(have) {
                report(have, record.size);
                return Ok(());
            }
            let Piece::Missing(trouble) = self.piece(file, part, record, remote, report)? else { return Ok(()) };
            let now = file.seek(SeekFrom::End(0)).map_err(|e| unwritable(part, e))?;
            tries = if now > have { 1 } else { tries + 1 };
            if tries >= TRIES {
                return Err(trouble);
            }
            thread::sleep(self.pause * 2u32.pow(tries - 1));
        }
    }

    /// One request for what is missing.
    fn piece(
        &self,
        file: &mut File,
        part: &Path,
        record: &mut Record,
        remote: &Remote,
        report: Report,
    ) -> Result<Piece> {
        let url = &remote.url;
        if !record.is_resumable(remote) {
            record.begin(remote, file, part)?;
        }
        let have = file.seek(SeekFrom::End(0)).map_err(|e| unwritable(part, e))?;
        let mut request = self.agent.get(url).header("accept-encoding", "identity");
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
            if let Some(validator) = &record.validator {
                request = request.header("if-range", validator);
            }
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(e) => return Ok(Piece::Missing(unreachable(url, &e.to_string()).because(e))),
        };
        let (from, size) = match response.status().as_u16() {
            206 => content_range(&response).filter(|&(from, _)| from == have).unwrap_or((0, None)),
            200 => (0, header(&response, "content-length").and_then(|n| n.parse().ok())),
            // There is less than we have: it is another file by now.
            416 => (0, None),
            status @ (408 | 429 | 500..) => return Ok(Piece::Missing(refused(url, status))),
            status => return Err(refused(url, status)),
        };
        if remote.size.is_some() && size.is_some() && remote.size != size {
            discard(part);
            return Err(damaged(
                remote,
                &format!("it has {} bytes, not the {} that were promised", size.unwrap_or(0), remote.size.unwrap_or(0)),
            ));
        }
        let same = validator(&response) == record.validator
            && (size.is_none() || record.size.is_none() || size == record.size);
        if have > 0 && (from != have || !same) {
            // Bytes of two versions must not come together: begin again, with this answer if it begins at the beginning.
            record.begin(remote, file, part)?;
            if response.status().as_u16() != 200 {
                return Ok(Piece::Missing(damaged(remote, "it changed on the server while it came")));
            }
        }
        record.validator = validator(&response);
        record.size = remote.size.or(size);
        record.write(part)?;
        self.copy(response, file, part, record.size, report)
    }

    fn copy(
        &self,
        response: Response<Body>,
        file: &mut File,
        part: &Path,
        size: Option<u64>,
        report: Report,
    ) -> Result<Piece> {
        let mut have = file.seek(SeekFrom::End(0)).map_err(|e| unwritable(part, e))?;
        let (mut body, mut chunk) = (response.into_body().into_reader(), vec![0; 1 << 16]);
        loop {
            let n = match body.read(&mut chunk) {
                Ok(0) if size.is_none_or(|size| size == have) => return Ok(Piece::Last),
                Ok(n) if n > 0 => n,
                end => {
                    let error = Error::of_kind(
                        ErrorKind::Network,
                        format!("The connection broke while {} came; try again, it will go on from there.", name(part)),
                    );
                    return Ok(Piece::Missing(match end {
                        Err(cause) => error.because(cause),
                        Ok(_) => error,
                    }));
                }
            };
            if size.is_some_and(|size| have + n as u64 > size) {
                discard(part);
                return Err(Error::of_kind(
                    ErrorKind::Damaged,
                    format!("The server sends more of {} than it said; try again.", name(part)),
                ));
            }
            file.write_all(&chunk[..n]).map_err(|e| unwritable(part, e))?;
            have += n as u64;
            report(have, size);
        }
    }

    /// Fetches again those parts whose hashes are not those of the manifest.
    fn mend(&self, file: &mut File, part: &Path, remote: &Remote) -> Result<()> {
        let Some(chunks) = &remote.chunks else { return Ok(()) };
        let size = u64::from(chunks.size);
        for (at, wanted) in chunks.sha256.iter().enumerate() {
            let from = at as u64 * size;
            let len = size.min(remote.size.unwrap_or(0) - from);
            let mut mendings = 0;
            while !hash(file, from, len).map_err(|e| unwritable(part, e))?.eq_ignore_ascii_case(wanted) {
                if mendings == MENDINGS {
                    discard(part);
                    return Err(damaged(
                        remote,
                        &format!("bytes {from} to {} are not those that were promised", from + len - 1),
                    ));
                }
                mendings += 1;
                let range = format!("bytes={from}-{}", from + len - 1);
                let url = &remote.url;
                let response = self.agent.get(url).header("accept-encoding", "identity").header("range", range).call();
                let response = response.map_err(|e| unreachable(url, &e.to_string()).because(e))?;
                let skip = match response.status().as_u16() {
                    206 => 0,
                    200 => from,
                    status => return Err(refused(url, status)),
                };
                let mut body = response.into_body().into_reader();
                let mut bytes = Vec::new();
                let came = std::io::copy(&mut body.by_ref().take(skip), &mut std::io::sink())
                    .and_then(|_| body.take(len).read_to_end(&mut bytes));
                came.map_err(|e| unreachable(url, &e.to_string()).because(e))?;
                file.seek(SeekFrom::Start(from))
                    .and_then(|_| file.write_all(&bytes))
                    .map_err(|e| unwritable(part, e))?;
            }
        }
        Ok(())
    }
}

impl Record {
    /// What lies beside the file at `path`.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(with_suffix(path, "json")).ok()?).ok()
    }

    fn write(&self, path: &Path) -> Result<()> {
        let beside = with_suffix(path, "json");
        let json =
            serde_json::to_vec(self).map_err(|e| Error::internal("A record could not be written.").because(e))?;
        fs::write(&beside, json).map_err(|e| unwritable(&beside, e))
    }

    /// Forgets what has come.
    fn begin(&mut self, remote: &Remote, file: &mut File, part: &Path) -> Result<()> {
        *self = Self { url: remote.url.clone(), size: remote.size, ..Self::default() };
        file.set_len(0).map_err(|e| unwritable(part, e))
    }

    /// Whether the whole file that this is about is the one that is wanted, as far as can be told without asking.
    pub fn is_of(&self, remote: &Remote) -> bool {
        match (&remote.sha256, &self.sha256) {
            (_, None) => false,
            (Some(wanted), Some(have)) => wanted.eq_ignore_ascii_case(have),
            (None, Some(_)) => self.url == remote.url,
        }
    }

    /// Whether a part can be gone on with. Without anything that tells versions apart its rest might be another's.
    fn is_resumable(&self, remote: &Remote) -> bool {
        self.url == remote.url && (self.validator.is_some() || remote.sha256.is_some())
    }
}

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

/// `path` with `.suffix` behind its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    name.into()
}

/// SHA-256 of `len` bytes from `from` on, or of what there is of them.
fn hash(file: &mut File, from: u64, len: u64) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(from))?;
    let (mut hash, mut rest, mut chunk) = (Sha256::new(), file.take(len), vec![0; 1 << 20]);
    loop {
        match rest.read(&mut chunk)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&chunk[..n]),
        }
    }
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// A weak `ETag` says that two versions mean the same, not that they have the same bytes.
fn validator(response: &Response<Body>) -> Option<String> {
    let tag = header(response, "etag").filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| header(response, "last-modified")).map(str::to_owned)
}

/// Where the bytes of a 206 begin, and how many the whole has.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let (range, size) = header(response, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()))
}

fn discard(part: &Path) {
    fs::remove_file(part).ok();
    fs::remove_file(with_suffix(part, "json")).ok();
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unreachable(url: &str, why: &str) -> Error {
    Error::of_kind(
        ErrorKind::Network,
        format!("{url} could not be fetched ({why}); check the connection and the address, and try again."),
    )
}

fn refused(url: &str, status: u16) -> Error {
    let why = match status {
        401 | 403 => "the server does not give it to everybody",
        404 | 410 => "there is no such thing on the server",
        _ => "the server refuses",
    };
    Error::of_kind(ErrorKind::Network, format!("{url} could not be fetched: {why} (status {status})."))
}

fn damaged(remote: &Remote, why: &str) -> Error {
    Error::of_kind(
        ErrorKind::Damaged,
        format!(
            "{} is not the file that was meant: {why}. Try again; if it stays so, the file on the server is damaged.",
            remote.name()
        ),
    )
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::of_kind(
        ErrorKind::Storage,
        format!(
            "{} could not be written ({error}); make room on the disk, or name another cache folder in LOUPE_CACHE.",
            path.display()
        ),
    )
    .because(error)
}
