//! Answers held to a form: [`Format`] says which, and whoever knows grammars says token by token what may come.
//!
//! Grammars are the crate `loupe-forms`, which the command line has with it. In WebAssembly it is a module of its own, so the
//! worker fetches it when it is first needed and gives it to the session.

use crate::{
    error::{Error, Result},
    protocol::Format,
    text::tokenizer::Tokenizer,
};

/// Knows grammars for one vocabulary.
pub trait Forms {
    /// Begins an answer of this format, which is not free text.
    ///
    /// # Errors
    /// A usage error that says what of the format cannot be followed.
    fn begin(&self, format: &Format) -> Result<Box<dyn Form>>;
}

/// What may still come of one answer.
pub trait Form {
    /// Which tokens may come next: a bit for each, the lowest of a word first. At least one may.
    ///
    /// # Errors
    /// A usage error when that is too much to find out.
    fn allowed(&mut self) -> Result<Vec<u32>>;

    /// Goes on by a token that was said.
    ///
    /// # Errors
    /// A usage error when that is too much to follow.
    fn take(&mut self, id: u32) -> Result<()>;

    /// Whether nothing can follow.
    fn is_over(&self) -> bool;
}

/// Takes every chance from the tokens that may not come next: their logits become −∞.
///
/// # Errors
/// As [`Form::allowed`].
pub fn restrict(form: &mut dyn Form, logits: &mut [f32]) -> Result<()> {
    let allowed = form.allowed()?;
    for (at, logits) in logits.chunks_mut(32).enumerate() {
        let word = allowed.get(at).copied().unwrap_or(0);
        for (bit, logit) in logits.iter_mut().enumerate() {
            if word >> bit & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
    Ok(())
}

/// The grammars that come with this program.
///
/// # Errors
/// A usage error when the vocabulary has no token that ends answers.
#[cfg(not(target_arch = "wasm32"))]
pub fn built_in(tokenizer: &Tokenizer) -> Result<Box<dyn Forms>> {
    Ok(Box::new(loupe_forms::Forms::new(tokenizer.all_bytes(), &tokenizer.ends()).map_err(refused)?))
}

/// There are none in WebAssembly: they are given.
///
/// # Errors
/// Always.
#[cfg(target_arch = "wasm32")]
pub fn built_in(_: &Tokenizer) -> Result<Box<dyn Forms>> {
    Err(Error::internal("Grammars were not given to the engine; report this."))
}

#[cfg(not(target_arch = "wasm32"))]
impl Forms for loupe_forms::Forms {
    fn begin(&self, format: &Format) -> Result<Box<dyn Form>> {
        let form = match format {
            Format::Text {} => return Err(Error::internal("Free text has no form; report this.")),
            Format::Json { schema } => self.json(schema),
            Format::Regex { pattern } => self.regex(pattern),
            Format::Choice { options } => self.choice(options),
        };
        Ok(Box::new(form.map_err(refused)?))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Form for loupe_forms::Form {
    fn allowed(&mut self) -> Result<Vec<u32>> {
        self.allowed().map_err(refused)
    }

    fn take(&mut self, id: u32) -> Result<()> {
        self.take(id).map_err(refused)
    }

    fn is_over(&self) -> bool {
        self.is_over()
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn refused(why: loupe_forms::Refusal) -> Error {
    Error::usage(why.to_string())
}
