//! Loupe answers questions about a picture on the machine that holds it.
pub mod error;
pub mod image;
pub mod protocol;
