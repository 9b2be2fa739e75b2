//! A model that is coming: its files in chunks in, a session out.
//!
//! What can be known from a header is known when the header is there. Two files that are no model are refused before their
//! weights have come, and the tokenizer, which needs a lot of room while it is built, is built before there are weights:
//! memory in a browser never shrinks, so the room it leaves is theirs.

use super::{
    Session,
    header::{self, TEMPLATE},
    needs::needs,
    open::{Model, Network, sort},
};
use crate::{
    error::{Error, Result},
    exec::AnyExecutor,
    gguf::Stream,
    protocol::Needs,
    text::tokenizer::Tokenizer,
};

/// Two files on their way.
#[derive(Default)]
pub struct Opening {
    files: [Stream; 2],
    /// That of the file which has a vocabulary.
    tokenizer: Option<Tokenizer>,
    network: Option<Network>,
}

impl Opening {
    /// Takes the next bytes of file 0 or 1; which is the language model and which the vision encoder, they say
    /// themselves.
    ///
    /// # Errors
    /// A model error when a header is damaged, of an unsupported kind or not of the same model as the other, or when
    /// memory runs out.
    pub fn push(&mut self, file: usize, bytes: &[u8]) -> Result<()> {
        let stream = self.files.get_mut(file).ok_or_else(|| Error::internal("A model has two files; report this."))?;
        let known = stream.header().is_some();
        stream.push(bytes)?;
        if !known && stream.header().is_some() { self.read_header(file) } else { Ok(()) }
    }

    /// What the model will take in memory, once both headers have come.
    ///
    /// # Errors
    /// A model error when a header does not say all that is needed.
    pub fn needs(&self) -> Result<Option<Needs>> {
        let [a, b] = &self.files;
        let (Some(a), Some(b), Some(network)) = (a.header(), b.header(), &self.network) else { return Ok(None) };
        let (text, vision) = sort(a, b, |header| header);
        needs(text, vision, network).map(Some)
    }

    /// Whether the header of file 0 or 1 has come.
    pub fn knows(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(|stream| stream.header().is_some())
    }

    /// SHA-256 of what has come of file 0 or 1.
    pub fn sha256(&self, file: usize) -> Option<[u8; 32]> {
        self.files.get(file).map(Stream::sha256)
    }

    /// The session, on an executor that has no model yet.
    ///
    /// # Errors
    /// A model error that says how much is missing when a file ends early.
    pub fn finish(self, executor: AnyExecutor) -> Result<Session> {
        let [a, b] = self.files;
        let (mut text, vision) = sort(a.finish()?, b.finish()?, |file| &file.header);
        // The end of a file can be what completes its header.
        let network = match self.network {
            Some(network) => network,
            None => Network::read(&text.header, &vision.header)?,
        };
        let tokenizer = match self.tokenizer {
            Some(tokenizer) => tokenizer,
            None => header::tokenizer(&mut text.header)?,
        };
        Ok(Session::new(Model::assemble([text, vision], network, tokenizer, executor)?))
    }

    fn read_header(&mut self, file: usize) -> Result<()> {
        let [a, b] = &self.files;
        if let (Some(a), Some(b)) = (a.header(), b.header()) {
            let (text, vision) = sort(a, b, |header| header);
            self.network = Some(Network::read(text, vision)?);
        }
        if let Some(header) = self.files[file].header_mut().filter(|h| h.get("tokenizer.ggml.tokens").is_some()) {
            self.tokenizer = Some(header::tokenizer(header)?);
        }
        if let (Some(network), Some(tokenizer), [a, b]) = (&self.network, &self.tokenizer, &self.files) {
            for text in [a, b].into_iter().filter_map(Stream::header).filter(|h| h.get(TEMPLATE).is_some()) {
                network.template(text, tokenizer)?;
            }
        }
        Ok(())
    }
}
