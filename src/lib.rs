//! Loupe answers questions about a picture on the machine that holds it.
pub mod error;
pub mod exec;
pub mod gguf;
pub mod graph;
pub mod image;
pub mod model;
#[cfg(feature = "probe")]
pub mod probe;
pub mod protocol;
pub mod text;
