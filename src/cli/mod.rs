//! The commands.

pub mod ask;
mod cache;
#[cfg(feature = "probe")]
pub mod exam;
mod fetch;
mod fit;
pub mod model;
#[cfg(feature = "reference")]
pub mod quantize;
pub mod slices;
mod trace;
