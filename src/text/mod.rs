//! From a conversation to the tokens a decoder reads, and from its logits back to text.
//!
//! [`template`] (messages → one text) → [`prompt`] (the text → token ids and rows of pictures, by [`schema`] and
//! [`tokenizer`]) → the decoder → [`sampler`] (logits → one id) → [`stream`] (its bytes → whole characters) → [`stops`] (up to
//! where the caller wants no more).

pub mod prompt;
pub mod sampler;
pub mod schema;
pub mod stops;
pub mod stream;
pub mod template;
pub mod tokenizer;
