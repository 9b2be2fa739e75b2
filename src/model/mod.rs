//! Vision-language models as graphs: a family is a value ([`VlmConfig`]) read from the files, not a copy of code.

mod block;
mod config;
mod connector;
mod decoder;
mod positions;
mod recurrent;
mod vision;
mod weights;

pub use config::{Bias, ConnectorConfig, DeltaSizes, LayerConfig, Mixer, Rope, TextConfig, VisionConfig, VlmConfig};
pub use decoder::{IDS, LAST, LOGITS, ORDER, PICTURES, decode, prefill};
pub use positions::{interpolate, resampler_positions};
pub use vision::{KEY_POSITIONS, PATCHES, POSITIONS, QUERY_POSITIONS, ViewInputs, view, view_inputs};
pub use weights::{check, check_leftover};
