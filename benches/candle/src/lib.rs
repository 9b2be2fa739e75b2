//! candle's quantised Llama, with as little around it as there can be.

use std::io::Cursor;

use candle_core::{Device, Tensor, quantized::gguf_file::Content};
use candle_transformers::models::quantized_llama::ModelWeights;
use wasm_bindgen::prelude::*;

/// A decoder and how far it has read.
#[wasm_bindgen]
pub struct Llama {
    weights: ModelWeights,
    position: usize,
}

#[wasm_bindgen]
impl Llama {
    /// Opens a GGUF file.
    #[wasm_bindgen(constructor)]
    pub fn open(file: Vec<u8>) -> Result<Self, JsError> {
        let mut file = Cursor::new(file);
        let content = Content::read(&mut file)?;
        Ok(Self { weights: ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?, position: 0 })
    }

    /// Forgets what was read.
    pub fn reset(&mut self) {
        self.position = 0;
    }

    /// Reads `ids` and gives the likeliest next one.
    pub fn step(&mut self, ids: &[u32]) -> Result<u32, JsError> {
        let logits = self.weights.forward(&Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?, self.position)?;
        self.position += ids.len();
        Ok(logits.squeeze(0)?.argmax(0)?.to_scalar()?)
    }
}
