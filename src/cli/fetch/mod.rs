//! Fetching a file so that nothing is fetched twice: what has come stays on the disk and is gone on with, and what is in its
//! place at the end is the file that was meant.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    thread,
    time::Duration,
};

use loupe::{
    error::{Error, ErrorKind, Result},
    source::Remote,
};
use ureq::{Agent, Body, http::Response};

mod mend;
mod record;
#[cfg(test)]
mod tests;
mod words;

pub use record::Record;
pub use words::progress;

use mend::hash;
use record::{discard, with_suffix};
use words::{damaged, name, refused, unreachable, unwritable};

/// How often a file is tried again without a byte having come in between.
const TRIES: u32 = 5;

/// What fetches, and how long it waits.
pub struct Fetcher {
    agent: Agent,
    /// The pause before the first new try; it doubles with each.
    pause: Duration,
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

    /// Hands the first bytes of a file to `take` until it has had enough.
    ///
    /// # Errors
    /// A network error, and what `take` says.
    pub fn beginning(&self, url: &str, take: &mut dyn FnMut(&[u8]) -> Result<bool>) -> Result<()> {
        let request = self.agent.get(url).header("accept-encoding", "identity").header("range", "bytes=0-");
        let response = request.call().map_err(|e| unreachable(url, &e.to_string()).because(e))?;
        if !response.status().is_success() {
            return Err(refused(url, response.status().as_u16()));
        }
        let (mut body, mut chunk) = (response.into_body().into_reader(), vec![0; 1 << 16]);
        loop {
            let n = body.read(&mut chunk).map_err(|e| unreachable(url, &e.to_string()).because(e))?;
            if n == 0 || !take(&chunk[..n])? {
                return Ok(());
            }
        }
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
