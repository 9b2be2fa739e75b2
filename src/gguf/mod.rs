//! GGUF v2/v3 files (the container of llama.cpp): a header of metadata and tensor infos, then aligned tensor bytes.
//!
//! [`Stream`] takes a file in chunks of any size and hands out whole tensors; [`Header`] can be read, and the model it
//! describes refused, long before the last byte has come.

mod header;
mod reader;
mod stream;
mod types;
mod value;
mod write;

pub use header::{Header, TensorInfo};
pub use stream::{File, Stream, Tensor};
pub use types::GgmlType;
pub use value::Value;
pub use write::{Entries, bytes_of, padding, write_header};
