//! The commands.

pub mod ask;
mod cache;
#[cfg(feature = "probe")]
pub mod exam;
mod fetch;
pub mod model;
pub mod slices;
mod trace;
