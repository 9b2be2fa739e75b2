//! What is remembered of a file beside its bytes.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use loupe::{
    error::{Error, Result},
    source::Remote,
};
use serde::{Deserialize, Serialize};

use super::words::unwritable;

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

impl Record {
    /// What lies beside the file at `path`.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(with_suffix(path, "json")).ok()?).ok()
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let beside = with_suffix(path, "json");
        let json =
            serde_json::to_vec(self).map_err(|e| Error::internal("A record could not be written.").because(e))?;
        fs::write(&beside, json).map_err(|e| unwritable(&beside, e))
    }

    /// Forgets what has come.
    pub fn begin(&mut self, remote: &Remote, file: &mut File, part: &Path) -> Result<()> {
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
    pub fn is_resumable(&self, remote: &Remote) -> bool {
        self.url == remote.url && (self.validator.is_some() || remote.sha256.is_some())
    }
}

/// `path` with `.suffix` behind its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    name.into()
}

/// Forgets a part.
pub fn discard(part: &Path) {
    fs::remove_file(part).ok();
    fs::remove_file(with_suffix(part, "json")).ok();
}
