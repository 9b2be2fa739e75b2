//! One error type: a public category that both faces act on, and a sentence that says what to do.

use std::fmt;

use serde::Serialize;

/// What went wrong, as callers need to tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum ErrorKind {
    /// The call itself is wrong: an empty question, an unknown option, a question longer than the context.
    Usage,
    /// The picture cannot be read: damaged, of no known format, or too large.
    Picture,
    /// The model files cannot be used: damaged, not a pair, or of an unsupported kind.
    Model,
    /// The model files could not be fetched: no connection, a server that refuses or does not answer.
    Network,
    /// What came, or what was stored, is not the file that was meant: a hash differs.
    Damaged,
    /// There is no room to store the model.
    Storage,
    /// The model needs more memory than there is.
    Memory,
    /// There is no GPU to run on, or it was lost.
    Gpu,
    /// Loupe itself failed; the message is worth reporting.
    Internal,
}

impl ErrorKind {
    /// The exit code of the command line.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Picture => 3,
            Self::Model | Self::Damaged | Self::Storage | Self::Memory => 4,
            Self::Network => 5,
            Self::Gpu => 6,
            Self::Internal => 1,
        }
    }
}

/// A category, one clear sentence for the person, and the private cause behind it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A wrong call.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Usage, message)
    }

    /// A picture that cannot be read.
    pub fn picture(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Picture, message)
    }

    /// A model that cannot be used.
    pub fn model(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Model, message)
    }

    /// A fault of Loupe's own.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Internal, message)
    }

    /// An error of any category.
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// Keeps the error that led here, for those who debug.
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The category.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|c| c as _)
    }
}
