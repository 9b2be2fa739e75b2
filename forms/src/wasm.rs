//! The face to the engine, which is a module of its own: what is thrown is an `Error` with one sentence.

use wasm_bindgen::prelude::*;

use crate::Refusal;

/// A vocabulary. See [`crate::Forms`].
#[wasm_bindgen]
pub struct Forms(crate::Forms);

/// What may still come of one answer. See [`crate::Form`].
#[wasm_bindgen]
pub struct Form(crate::Form);

#[wasm_bindgen]
impl Forms {
    /// For answers in tokens whose bytes stand one after the other, each of so many, which end with one of `ends`.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], lengths: &[u32], ends: &[u32]) -> Result<Self, JsError> {
        console_error_panic_hook::set_once();
        let mut rest = bytes;
        let token = |&length: &u32| rest.split_off(..length as usize).unwrap_or_default().to_vec();
        let tokens = lengths.iter().map(token).collect();
        Ok(Self(crate::Forms::new(tokens, ends)?))
    }

    /// JSON that a JSON schema (JSON itself) describes.
    pub fn json(&self, schema: &str) -> Result<Form, JsError> {
        let schema = serde_json::from_str(schema).map_err(|why| Refusal(format!("The schema is no JSON: {why}.")))?;
        Ok(Form(self.0.json(&schema)?))
    }

    /// Text that a regular expression matches as a whole.
    pub fn regex(&self, pattern: &str) -> Result<Form, JsError> {
        Ok(Form(self.0.regex(pattern)?))
    }

    /// One of several texts.
    pub fn choice(&self, options: Vec<String>) -> Result<Form, JsError> {
        Ok(Form(self.0.choice(&options)?))
    }
}

#[wasm_bindgen]
impl Form {
    /// A bit for each token that may come next.
    pub fn allowed(&mut self) -> Result<Vec<u32>, JsError> {
        Ok(self.0.allowed()?)
    }

    /// Goes on by a token that was said.
    pub fn take(&mut self, id: u32) -> Result<(), JsError> {
        Ok(self.0.take(id)?)
    }

    /// Whether nothing can follow.
    #[wasm_bindgen(js_name = isOver)]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }
}
