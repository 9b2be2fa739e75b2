//! Models from elsewhere: found by manifest, address or hub name, fetched once, and kept in a folder of the machine's cache.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use loupe::{
    error::{Error, ErrorKind, Result},
    session::Opening,
    source::{HUB, HubId, Manifest, Remote, is_address},
};
use sha2::{Digest, Sha256};

use super::{
    fetch::{self, Fetcher, Record},
    fit::fits,
};

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause before the first new try.
const PAUSE: Duration = Duration::from_millis(500);

/// The folder, and what fills it.
pub struct Cache {
    folder: PathBuf,
    hub: String,
    fetcher: Fetcher,
}

/// A file of a model, and what its SHA-256 must be where that is known.
pub struct Kept {
    /// Where it lies.
    pub path: PathBuf,
    /// 64 hex digits.
    pub sha256: Option<String>,
}

impl Cache {
    /// The machine's: `LOUPE_CACHE`, else `loupe` below `XDG_CACHE_HOME` or `~/.cache`. The hub is Hugging Face's, or that
    /// of `HF_ENDPOINT`.
    ///
    /// # Errors
    /// A usage error when there is no home to put it in.
    pub fn of_this_machine() -> Result<Self> {
        let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let below = |name: &str, rest: &str| var(name).map(|folder| folder.join(rest));
        let folder = var("LOUPE_CACHE")
            .or_else(|| below("XDG_CACHE_HOME", "loupe"))
            .or_else(|| below("HOME", ".cache/loupe"))
            .or_else(|| below("LOCALAPPDATA", "loupe"))
            .ok_or_else(|| Error::usage("There is no folder to keep models in; name one in LOUPE_CACHE."))?;
        let hub = env::var("HF_ENDPOINT").ok().filter(|hub| is_address(hub)).unwrap_or_else(|| HUB.to_owned());
        Ok(Self { folder, hub, fetcher: Fetcher::new(PATIENCE, PAUSE) })
    }

    /// The files of a model on a hub.
    ///
    /// # Errors
    /// As [`Fetcher::file`], and a model error when the repository has no such model.
    pub fn hub_pair(&self, id: &HubId) -> Result<[Kept; 2]> {
        let listing = self.text(&id.listing(&self.hub))?;
        self.pair(&id.choose(&listing, &self.hub)?)
    }

    /// The files of the manifest at `url`.
    ///
    /// # Errors
    /// As [`Fetcher::file`], and a model error when the manifest cannot be used.
    pub fn manifest_pair(&self, url: &str) -> Result<[Kept; 2]> {
        self.pair(&Manifest::read(&self.text(url)?, url)?)
    }

    /// A file by its address alone.
    ///
    /// # Errors
    /// As [`Fetcher::file`].
    pub fn addressed(&self, url: &str) -> Result<Kept> {
        self.file(&at(url))
    }

    /// Two files by their addresses alone.
    ///
    /// # Errors
    /// As [`Fetcher::file`], and a model or memory error when the headers say that it would be in vain.
    pub fn addressed_pair(&self, urls: [&str; 2]) -> Result<[Kept; 2]> {
        self.files(&urls.map(at))
    }

    fn pair(&self, manifest: &Manifest) -> Result<[Kept; 2]> {
        let files = manifest.files.as_slice().try_into();
        self.files(files.map_err(|_| Error::internal("A manifest without two files was let through; report this."))?)
    }

    fn files(&self, pair: &[Remote; 2]) -> Result<[Kept; 2]> {
        let [a, b] = pair;
        match self.headers(pair) {
            // The same trouble will be met, and told, when the files are fetched.
            Err(error) if error.kind() == ErrorKind::Network => {}
            read => read?,
        }
        Ok([self.file(a)?, self.file(b)?])
    }

    /// Reads both headers before anything is fetched, unless all is there.
    fn headers(&self, pair: &[Remote; 2]) -> Result<()> {
        let mut opening = Opening::default();
        let places = pair.each_ref().map(|remote| self.place_of(remote));
        let [a, b] = places;
        let is_kept = |path: &Path, remote: &Remote| Record::read(path).is_some_and(|record| record.is_of(remote));
        if is_kept(&a?, &pair[0]) && is_kept(&b?, &pair[1]) {
            return Ok(());
        }
        for (at, remote) in pair.iter().enumerate() {
            self.fetcher.beginning(&remote.url, &mut |bytes| {
                opening.push(at, bytes)?;
                Ok(!opening.knows(at))
            })?;
        }
        fits(&opening)
    }

    fn place_of(&self, remote: &Remote) -> Result<PathBuf> {
        self.place(remote.sha256.as_deref().unwrap_or(&remote.url), remote.name())
    }

    /// What is kept whole is not fetched again; of a file without a promised hash the server is asked whether it changed.
    fn file(&self, remote: &Remote) -> Result<Kept> {
        let path = self.place_of(remote)?;
        let kept = |record: Record| Kept { path: path.clone(), sha256: record.sha256 };
        if let Some(record) = Record::read(&path).filter(|record| record.is_of(remote)) {
            let size = fs::metadata(&path).ok().map(|file| file.len());
            let changed = || {
                let now = self.fetcher.look(&remote.url).ok();
                now.is_some_and(|now| {
                    now.validator != record.validator || now.size.is_some_and(|size| record.size != Some(size))
                })
            };
            if size.is_some()
                && (record.size.is_none() || size == record.size)
                && (remote.sha256.is_some() || !changed())
            {
                return Ok(kept(record));
            }
            fs::remove_file(&path).ok();
        }
        let mut report = fetch::progress(remote.name());
        let shown = io::stderr().is_terminal();
        self.fetcher
            .file(remote, &path, &mut |have, size| {
                if shown {
                    report(have, size)
                }
            })
            .map(kept)
    }

    /// The text at `url`, or what it was when it could last be reached.
    fn text(&self, url: &str) -> Result<String> {
        let path = self.place(url, "named.json")?;
        match self.fetcher.text(url) {
            Ok(text) => {
                // A copy that cannot be kept is only missed when the network is.
                fs::write(&path, &text).ok();
                Ok(text)
            }
            Err(error) if error.kind() == ErrorKind::Network => fs::read_to_string(&path).map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    /// The place of what `key` names, in a folder that exists; `name` is for people who look into it.
    fn place(&self, key: &str, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(|e| {
            let folder = self.folder.display();
            Error::of_kind(
                ErrorKind::Storage,
                format!("The folder {folder} could not be made; name another in LOUPE_CACHE."),
            )
            .because(e)
        })?;
        let key: String = Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
        Ok(self.folder.join(format!("{key}-{}", name.chars().map(plain).collect::<String>())))
    }
}

/// A file of which nothing is known but its address.
fn at(url: &str) -> Remote {
    Remote { url: url.to_owned(), size: None, sha256: None, chunks: None }
}

impl Kept {
    /// A file that the person named, of which nothing was promised.
    pub fn local(path: &Path) -> Self {
        Self { path: path.to_owned(), sha256: None }
    }
}
