//! Parts of a file that came damaged, found by their hashes and fetched again.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use loupe::{error::Result, source::Remote};
use sha2::{Digest, Sha256};

use super::{
    Fetcher,
    record::discard,
    words::{damaged, refused, unreachable, unwritable},
};

/// How often a part whose hash is wrong is fetched again.
const MENDINGS: usize = 2;

impl Fetcher {
    /// Fetches again those parts whose hashes are not those of the manifest.
    pub(super) fn mend(&self, file: &mut File, part: &Path, remote: &Remote) -> Result<()> {
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
                let came = io::copy(&mut body.by_ref().take(skip), &mut io::sink())
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

/// SHA-256 of `len` bytes from `from` on, or of what there is of them.
pub fn hash(file: &mut File, from: u64, len: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(from))?;
    let (mut hash, mut rest, mut chunk) = (Sha256::new(), file.take(len), vec![0; 1 << 20]);
    loop {
        match rest.read(&mut chunk)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&chunk[..n]),
        }
    }
}
