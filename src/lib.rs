//! Loupe answers questions about a picture on the machine that holds it.
//!
//! A picture's bytes are decoded and cut into slices and an overview ([`image`]). Each view becomes rows of patches, and
//! a vision encoder and a connector turn them into rows of the decoder ([`model`], written down as a [`graph`] and run
//! by an executor of [`exec`]). The conversation is rendered by the model's own chat template and tokenised ([`text`]);
//! the pictures' rows stand among the tokens, a cache holds what was read, and one token after another is sampled and
//! streamed. [`session`] holds it all together; the command line and the browser's worker are thin faces over it.

pub mod error;
pub mod exec;
pub mod gguf;
pub mod graph;
pub mod image;
pub mod model;
#[cfg(feature = "probe")]
pub mod probe;
pub mod protocol;
#[cfg(feature = "reference")]
pub mod quantize;
pub mod session;
pub mod source;
pub mod text;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub use error::{Error, ErrorKind, Result};
pub use session::{Opening, Session, Source};
