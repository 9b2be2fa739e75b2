//! A model named file by file, with what its bytes must be.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The form that this build reads.
const VERSION: u32 = 1;
/// Chunks are read and hashed whole, several at a time: more would be too much memory, less too many hashes.
const CHUNK_BYTES: std::ops::RangeInclusive<u32> = 1 << 16..=1 << 22;

/// A model as two files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Manifest {
    /// The form of the manifest: 1.
    pub version: u32,
    /// What to call the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub name: Option<String>,
    /// The language model and its vision encoder, in either order.
    pub files: Vec<Remote>,
}

/// A file, and what is known of it before it is fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Remote {
    /// Where it is; in a manifest that was fetched, beside the manifest unless it is a whole address.
    pub url: String,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub size: Option<u64>,
    /// SHA-256 of the file, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub sha256: Option<String>,
    /// SHA-256 of its parts: damage is then found, and mended, part by part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub chunks: Option<Chunks>,
}

/// Hashes of consecutive parts of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Chunks {
    /// Bytes of each part but the last: from 65,536 to 4,194,304.
    pub size: u32,
    /// SHA-256 of each, 64 hex digits.
    pub sha256: Vec<String>,
}

impl Manifest {
    /// Reads a manifest that was found at `base`; its files' addresses come out whole.
    ///
    /// # Errors
    /// A model error that names what is wrong with it.
    pub fn read(json: &str, base: &str) -> Result<Self> {
        let mut manifest: Self = serde_json::from_str(json)
            .map_err(|e| wrong(&format!("what {base} gives is no manifest ({e})")).because(e))?;
        for file in &mut manifest.files {
            file.url = super::join(base, &file.url);
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether it can be what it says.
    ///
    /// # Errors
    /// A model error that names what is wrong with it.
    pub fn check(&self) -> Result<()> {
        if self.version != VERSION {
            return Err(wrong(&format!("its version is {}, and this build reads {VERSION}", self.version)));
        }
        if self.files.len() != 2 {
            let files = self.files.len();
            return Err(wrong(&format!(
                "it names {files} files; a model is two, the language model and its mmproj file"
            )));
        }
        self.files.iter().try_for_each(Remote::check)
    }
}

impl Remote {
    /// The file's name: what follows the last slash of its address.
    pub fn name(&self) -> &str {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    fn check(&self) -> Result<()> {
        let name = self.name();
        let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if self.sha256.as_ref().is_some_and(|hash| !is_hash(hash)) {
            return Err(wrong(&format!("the sha256 of `{name}` is not 64 hex digits")));
        }
        let Some(Chunks { size, sha256 }) = &self.chunks else { return Ok(()) };
        if !CHUNK_BYTES.contains(size) {
            let (least, most) = (CHUNK_BYTES.start(), CHUNK_BYTES.end());
            return Err(wrong(&format!("the chunks of `{name}` have {size} bytes, not {least} to {most}")));
        }
        let Some(bytes) = self.size else {
            return Err(wrong(&format!("`{name}` has chunks and no size")));
        };
        if bytes.div_ceil(u64::from(*size)) != sha256.len() as u64 || !sha256.iter().all(is_hash) {
            return Err(wrong(&format!(
                "the chunks of `{name}` are not one hash of 64 hex digits for each {size} bytes"
            )));
        }
        Ok(())
    }
}

fn wrong(why: &str) -> Error {
    Error::model(format!("The model's manifest cannot be used: {why}. Mend it, or name the two model files instead."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

    #[test]
    fn files_lie_beside_their_manifest() {
        let json = format!(
            r#"{{"version":1,"files":[{{"url":"a.gguf","size":70000,"sha256":"{HASH}","chunks":{{"size":65536,"sha256":["{HASH}","{HASH}"]}}}},{{"url":"https://b.example/b.gguf?x=1"}}]}}"#
        );
        let manifest = Manifest::read(&json, "https://a.example/m/model.json").unwrap();
        assert_eq!(manifest.files[0].url, "https://a.example/m/a.gguf");
        assert_eq!(manifest.files[1].name(), "b.gguf");
        assert_eq!(manifest.files[1].size, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let file = |rest: &str| format!(r#"{{"version":1,"files":[{{"url":"a.gguf"{rest}}},{{"url":"b.gguf"}}]}}"#);
        for (json, word) in [
            ("<!doctype html>".to_owned(), "no manifest"),
            (r#"{"version":2,"files":[]}"#.to_owned(), "version is 2"),
            (r#"{"version":1,"files":[{"url":"a.gguf"}]}"#.to_owned(), "names 1 files"),
            (file(r#","sha256":"abc""#), "`a.gguf` is not 64 hex digits"),
            (file(&format!(r#","size":9,"chunks":{{"size":8,"sha256":["{HASH}"]}}"#)), "8 bytes"),
            (file(&format!(r#","chunks":{{"size":65536,"sha256":["{HASH}"]}}"#)), "no size"),
            (file(&format!(r#","size":65537,"chunks":{{"size":65536,"sha256":["{HASH}"]}}"#)), "one hash of 64"),
        ] {
            let error = Manifest::read(&json, "https://a.example/").unwrap_err().to_string();
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}
