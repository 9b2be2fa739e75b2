//! Grammars, which are a module of their own beside the engine: its objects, as the engine calls them.

use js_sys::Error as JsError;
use wasm_bindgen::prelude::*;

use crate::{
    error::{Error, Result},
    protocol::Format,
    session::form,
};

#[wasm_bindgen]
extern "C" {
    /// `Forms` of the module `loupe-forms`, for the vocabulary of the model that is open.
    pub type Forms;

    #[wasm_bindgen(method, catch)]
    fn json(this: &Forms, schema: &str) -> std::result::Result<Form, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn regex(this: &Forms, pattern: &str) -> std::result::Result<Form, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn choice(this: &Forms, options: Vec<String>) -> std::result::Result<Form, JsValue>;

    type Form;

    #[wasm_bindgen(method, catch)]
    fn allowed(this: &Form) -> std::result::Result<Vec<u32>, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn take(this: &Form, id: u32) -> std::result::Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = isOver)]
    fn is_over(this: &Form) -> bool;

    #[wasm_bindgen(method)]
    fn free(this: &Form);
}

/// A form whose memory in the other module is given back with it.
struct Held(Form);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.free();
    }
}

impl form::Forms for Forms {
    fn begin(&self, format: &Format) -> Result<Box<dyn form::Form>> {
        let form = match format {
            Format::Text {} => return Err(Error::internal("Free text has no form; report this.")),
            Format::Json { schema } => self.json(&schema.to_string()),
            Format::Regex { pattern } => self.regex(pattern),
            Format::Choice { options } => self.choice(options.clone()),
        };
        Ok(Box::new(Held(form.map_err(refused)?)))
    }
}

impl form::Form for Held {
    fn allowed(&mut self) -> Result<Vec<u32>> {
        self.0.allowed().map_err(refused)
    }

    fn take(&mut self, id: u32) -> Result<()> {
        self.0.take(id).map_err(refused)
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

/// What the other module threw: its own sentence, unless it trapped.
fn refused(thrown: JsValue) -> Error {
    match thrown.dyn_ref::<JsError>() {
        Some(error) if error.name() == "Error" => Error::usage(String::from(error.message())),
        _ => Error::internal("What the answer is to be could not be followed; take a simpler schema or expression."),
    }
}
