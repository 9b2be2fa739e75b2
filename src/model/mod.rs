//! Vision-language models as graphs: a family is a value ([`VlmConfig`]) read from the files, not a copy of code.

mod block;
mod config;
mod connector;
mod decoder;
mod inputs;
mod positions;
mod recurrent;
mod vision;
mod weights;

pub use config::{
    Bias, ConnectorConfig, DeltaSizes, LayerConfig, Merger, Mixer, Positions, Projection, Projector,
    ResamplerPositions, Rope, TextConfig, VisionConfig, VlmConfig,
};
pub use decoder::{IDS, LAST, LOGITS, ORDER, PICTURES, decode, likeliest, prefill};
pub use inputs::{PATCHES, ViewInput, ViewInputs, view_inputs};
pub use positions::{interpolate, resampler_positions};
pub use vision::view;
pub use weights::{check, check_leftover, check_leftover_vision};
