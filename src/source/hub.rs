//! A model named as on a hub, `owner/repo[:quant]`: which two of the repository's files are meant.
//!
//! Names are read as llama.cpp's `-hf` reads them (`common/download.cpp`), so that a name which works there means the same
//! files here.

use serde::Deserialize;

use super::{Manifest, Remote};
use crate::error::{Error, Result};

/// The hub that is asked unless another is named.
pub const HUB: &str = "https://huggingface.co";

/// What is taken, in this order, when no quantisation is named.
const PREFERRED: [&str; 2] = ["Q4_K_M", "Q8_0"];
/// Words in the names of files that are no language model.
const OTHERS: [&str; 6] = ["mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"];

/// A name on a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubId {
    repo: String,
    quant: Option<String>,
}

/// What the hub says of a repository.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Large>,
}

/// What the hub says of a file too large for git.
#[derive(Deserialize)]
struct Large {
    sha256: String,
    size: u64,
}

impl HubId {
    /// Reads `owner/repo` or `owner/repo:quant`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (repo, quant) = text.split_once(':').map_or((text, None), |(repo, quant)| (repo, Some(quant)));
        let (owner, name) = repo.split_once('/')?;
        let is_word = |word: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            !word.is_empty() && word.bytes().all(plain) && !word.bytes().all(|b| b == b'.')
        };
        let good = [Some(owner), Some(name), quant].into_iter().flatten().all(is_word);
        good.then(|| Self { repo: repo.to_owned(), quant: quant.map(str::to_owned) })
    }

    /// The address of what the hub at `base` says of the repository: its files, their sizes and hashes.
    pub fn listing(&self, base: &str) -> String {
        format!("{}/api/models/{}/revision/main?blobs=true", base.trim_end_matches('/'), self.repo)
    }

    /// The two files meant, at the revision that was listed.
    ///
    /// # Errors
    /// A model error when there are none, naming those there are, or when the model is split into several files.
    pub fn choose(&self, listing: &str, base: &str) -> Result<Manifest> {
        let repo = &self.repo;
        let listing: Listing = serde_json::from_str(listing).map_err(|e| {
            Error::model(format!("The hub's answer about {repo} could not be read; name the two model files instead."))
                .because(e)
        })?;
        let text = self.text(&listing)?;
        let vision = vision(&listing, &text.rfilename).ok_or_else(|| {
            Error::model(format!(
                "{repo} has no mmproj file to go with {}, so it is no vision-language model; choose another repository.",
                text.rfilename
            ))
        })?;
        let remote = |file: &Sibling| {
            let path = file.rfilename.split('/').map(encode).collect::<Vec<_>>().join("/");
            Remote {
                url: format!("{}/{repo}/resolve/{}/{path}", base.trim_end_matches('/'), listing.sha),
                size: file.lfs.as_ref().map(|lfs| lfs.size).or(file.size),
                sha256: file.lfs.as_ref().map(|lfs| lfs.sha256.clone()),
                chunks: None,
            }
        };
        let name = self.quant.as_ref().map_or(repo.clone(), |quant| format!("{repo}:{quant}"));
        let manifest = Manifest { version: 1, name: Some(name), files: vec![remote(text), remote(vision)] };
        manifest.check()?;
        Ok(manifest)
    }

    fn text<'l>(&self, listing: &'l Listing) -> Result<&'l Sibling> {
        let models = || listing.siblings.iter().filter(|file| is_text(&file.rfilename));
        let named = |quant: &str| models().find(|file| has_quant(&file.rfilename, quant));
        let found = match &self.quant {
            Some(quant) => named(quant),
            None => PREFERRED.iter().find_map(|quant| named(quant)).or_else(|| models().next()),
        };
        let file = found.ok_or_else(|| {
            let names: Vec<&str> = models().map(|file| file.rfilename.as_str()).take(8).collect();
            let wanted = self.quant.as_ref().map_or_else(String::new, |quant| format!(" of the kind {quant}"));
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::model(format!("{} has no GGUF language model{wanted}; there is {there}.", self.repo))
        })?;
        if is_split(&file.rfilename) {
            return Err(Error::model(format!(
                "{} is one of several parts of a model, which Loupe does not put together; choose a model in one file.",
                file.rfilename
            )));
        }
        Ok(file)
    }
}

/// The vision encoder for the language model at `text`: nearest in its folders, then in its bits.
fn vision<'l>(listing: &'l Listing, text: &str) -> Option<&'l Sibling> {
    let folders: Vec<&str> = text.split('/').collect();
    let bits = quant_bits(text);
    let candidates = listing.siblings.iter().filter_map(|file| {
        let path = &file.rfilename;
        let own: Vec<&str> = path.split('/').collect();
        let (own, name) = (&own[..own.len() - 1], own[own.len() - 1]);
        let fits = path.ends_with(".gguf") && name.contains("mmproj") && folders[..folders.len() - 1].starts_with(own);
        fits.then(|| (file, own.len(), quant_bits(path).abs_diff(bits)))
    });
    // Of equals the first.
    candidates.reduce(|best, next| if (next.1, best.2) > (best.1, next.2) { next } else { best }).map(|(file, ..)| file)
}

fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.ends_with(".gguf") && !OTHERS.iter().any(|other| name.contains(other))
}

/// Whether the path names this quantisation: the word with a dot or a hyphen behind it.
fn has_quant(path: &str, quant: &str) -> bool {
    let (path, quant) = (path.to_ascii_uppercase(), quant.to_ascii_uppercase());
    path.match_indices(&quant).any(|(at, _)| path[at + quant.len()..].starts_with(['.', '-']))
}

/// The first number in the last word of a name: 4 for `model-Q4_K_M.gguf`, 16 for `mmproj-F16.gguf`, 0 without one.
fn quant_bits(path: &str) -> u32 {
    let stem = path.strip_suffix(".gguf").unwrap_or(path);
    let word = stem.rsplit(['-', '.']).next().unwrap_or_default();
    let digits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

/// Whether this is a part as in `model-00001-of-00003.gguf`.
fn is_split(path: &str) -> bool {
    let stem = path.strip_suffix(".gguf").unwrap_or(path);
    let is_number = |word: &str| word.len() == 5 && word.bytes().all(|b| b.is_ascii_digit());
    let mut words = stem.rsplit('-');
    let (count, of, index) = (words.next(), words.next(), words.next());
    of == Some("of") && [count, index].into_iter().all(|word| word.is_some_and(is_number))
}

/// A part of a path as it stands in an address.
fn encode(part: &str) -> String {
    part.bytes().fold(String::new(), |mut out, b| {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(b.into()),
            _ => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn listing(paths: &[&str]) -> String {
        let hash = "ab".repeat(32);
        let files: Vec<String> = paths
            .iter()
            .map(|path| {
                format!(
                    r#"{{"rfilename":"{path}","size":135,"lfs":{{"sha256":"{hash}","size":1000,"pointerSize":135}}}}"#
                )
            })
            .collect();
        format!(r#"{{"id":"o/r","sha":"c0ffee","siblings":[{{"rfilename":"README.md"}},{}]}}"#, files.join(","))
    }

    fn chosen(id: &str, paths: &[&str]) -> Result<[String; 2]> {
        let manifest = HubId::parse(id).unwrap().choose(&listing(paths), HUB)?;
        let start = "https://huggingface.co/o/r/resolve/c0ffee/";
        Ok([0, 1].map(|at: usize| manifest.files[at].url.strip_prefix(start).unwrap().to_owned()))
    }

    #[test]
    fn names_are_told_from_paths_and_addresses() {
        let repo = |text: &str| HubId::parse(text).map(|id| (id.repo, id.quant));
        assert_eq!(
            repo("ggml-org/SmolVLM-256M-Instruct-GGUF"),
            Some(("ggml-org/SmolVLM-256M-Instruct-GGUF".into(), None))
        );
        assert_eq!(repo("o/r:Q8_0"), Some(("o/r".into(), Some("Q8_0".into()))));
        for text in ["r", "a/b/c", "/a", "a/", "../a", "a/..", "https://a/b", "o/r:", "o/r:a:b", "o/r?x", "a b/c", ""] {
            assert_eq!(repo(text), None, "{text}");
        }
    }

    #[test]
    fn files_are_chosen_as_llama_cpp_chooses() {
        for (id, paths, wanted) in [
            // Without a wish Q4_K_M, then Q8_0, then the first; never a projector, a draft or a matrix of importances.
            ("o/r", vec!["m-Q8_0.gguf", "m-Q4_K_M.gguf", "mmproj-m-f16.gguf"], ["m-Q4_K_M.gguf", "mmproj-m-f16.gguf"]),
            ("o/r", vec!["mmproj-m-Q8_0.gguf", "m-f16.gguf", "m-Q8_0.gguf"], ["m-Q8_0.gguf", "mmproj-m-Q8_0.gguf"]),
            ("o/r", vec!["imatrix.gguf", "mtp-m.gguf", "m-f16.gguf", "mmproj-m.gguf"], ["m-f16.gguf", "mmproj-m.gguf"]),
            // A kind by name, in any case, and not as the beginning of another.
            ("o/r:q4_k", vec!["m-Q4_K_M.gguf", "m-Q4_K.gguf", "mmproj.gguf"], ["m-Q4_K.gguf", "mmproj.gguf"]),
            // The projector with the nearest bits, the first among equals.
            (
                "o/r:Q8_0",
                vec!["m-Q8_0.gguf", "mmproj-f16.gguf", "mmproj-Q8_0.gguf"],
                ["m-Q8_0.gguf", "mmproj-Q8_0.gguf"],
            ),
            (
                "o/r:Q4_0",
                vec!["m.Q4_0.gguf", "mmproj-a-f16.gguf", "mmproj-b-f16.gguf"],
                ["m.Q4_0.gguf", "mmproj-a-f16.gguf"],
            ),
            // The nearest folder goes before the bits; a folder aside is not looked into.
            (
                "o/r",
                vec!["a/m-Q8_0.gguf", "mmproj-Q8_0.gguf", "a/mmproj-f16.gguf"],
                ["a/m-Q8_0.gguf", "a/mmproj-f16.gguf"],
            ),
            (
                "o/r",
                vec!["a/m-Q8_0.gguf", "b/mmproj-Q8_0.gguf", "mmproj-f16.gguf"],
                ["a/m-Q8_0.gguf", "mmproj-f16.gguf"],
            ),
            ("o/r", vec!["a b/m#-Q8_0.gguf", "mmproj.gguf"], ["a%20b/m%23-Q8_0.gguf", "mmproj.gguf"]),
        ] {
            assert_eq!(chosen(id, &paths).unwrap(), wanted, "{id} {paths:?}");
        }
    }

    #[test]
    fn sizes_and_hashes_are_those_of_the_file_and_not_of_its_pointer() {
        let manifest =
            HubId::parse("o/r").unwrap().choose(&listing(&["m.gguf", "mmproj.gguf"]), "http://hub/").unwrap();
        assert_eq!(manifest.files[0].url, "http://hub/o/r/resolve/c0ffee/m.gguf");
        assert_eq!(manifest.files[0].size, Some(1000));
        assert_eq!(manifest.files[0].sha256, Some("ab".repeat(32)));
    }

    #[test]
    fn what_is_not_there_is_said() {
        for (id, paths, word) in [
            ("o/r", vec!["model.safetensors"], "there is none"),
            ("o/r:Q2_K", vec!["m-Q8_0.gguf", "mmproj.gguf"], "of the kind Q2_K; there is m-Q8_0.gguf"),
            ("o/r", vec!["m-Q8_0.gguf"], "no mmproj file"),
            ("o/r", vec!["m-Q8_0-00001-of-00003.gguf", "mmproj.gguf"], "several parts"),
        ] {
            let error = chosen(id, &paths).unwrap_err().to_string();
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        let error = HubId::parse("o/r").unwrap().choose("Not found", HUB).unwrap_err().to_string();
        assert!(error.contains("could not be read"), "{error}");
    }
}
