//! The commands.

pub mod ask;
#[cfg(feature = "probe")]
pub mod exam;
pub mod model;
pub mod slices;
mod trace;
