//! Scenes that Loupe draws itself: what the built-in model learns from, and what it is examined on.
//!
//! A seed gives a scene ([`compose`]), the scene a picture with the thing behind every pixel ([`raster`]), questions with
//! exact answers ([`questions`]), the views that the model will see with dense labels ([`labels`]), and a record of the
//! training stream ([`shard`]). All of that is pure: the same seed gives the same bytes on every machine. Seeds from 2³¹
//! on are held out of training; [`exam`] asks a model about those.

#[cfg(feature = "cli")]
pub mod cli;
pub mod colours;
pub mod compose;
pub mod exam;
pub mod fonts;
mod ground;
pub mod labels;
pub mod questions;
pub mod raster;
pub mod rng;
pub mod scene;
pub mod shapes;
pub mod shard;
mod sizes;
mod wear;
mod words;
