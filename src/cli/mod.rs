//! The commands.

pub mod ask;
pub mod model;
pub mod slices;
