//! The header of a GGUF file, written: metadata as another file has it, byte for byte but for what is changed.

use std::io::{self, Write};

use super::{
    GgmlType, TensorInfo,
    reader::{Reader, Stop},
};
use crate::error::{Error, Result};

/// Tensors begin at multiples of this, the format's default.
const ALIGNMENT: usize = 32;
const VERSION: u32 = 3;
const U32: u32 = 4;

/// The metadata of a file, each value as the file spells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries(Vec<(String, Vec<u8>)>);

impl Entries {
    /// Reads them from the first bytes of a file whose [`Header`](super::Header) could be parsed from the same bytes.
    ///
    /// # Errors
    /// A model error when the header is damaged or goes on past the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let read = || {
            let mut r = Reader::new(bytes);
            r.take(4 + 4)?;
            r.count("tensors")?;
            let mut entries = Vec::new();
            for _ in 0..r.count("metadata values")? {
                let key = r.text()?;
                let start = r.position();
                r.value()?;
                entries.push((key, bytes[start..r.position()].to_vec()));
            }
            Ok(Self(entries))
        };
        read().map_err(|_: Stop| Error::model("The model file's header is damaged; get the file again."))
    }

    /// Gives a key a whole number, in the place of what it had, else at the end.
    pub fn set(&mut self, key: &str, number: u32) {
        let value = [U32.to_le_bytes(), number.to_le_bytes()].concat();
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }
}

/// Writes everything before the tensors, which are to follow in this order, each padded with [`padding`] zeros. Their
/// `offset` and `bytes` do not matter: they follow from shapes and types.
///
/// # Errors
/// Those of `out`.
pub fn write_header(out: &mut impl Write, entries: &Entries, tensors: &[TensorInfo]) -> io::Result<()> {
    let mut header = Vec::new();
    header.extend_from_slice(b"GGUF");
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
    header.extend_from_slice(&(entries.0.len() as u64).to_le_bytes());
    for (key, value) in &entries.0 {
        text(&mut header, key);
        header.extend_from_slice(value);
    }
    let mut offset = 0;
    for tensor in tensors {
        text(&mut header, &tensor.name);
        header.extend_from_slice(&(tensor.shape.len() as u32).to_le_bytes());
        for &side in tensor.shape.iter().rev() {
            header.extend_from_slice(&(side as u64).to_le_bytes());
        }
        header.extend_from_slice(&tensor.ggml_type.code().to_le_bytes());
        header.extend_from_slice(&(offset as u64).to_le_bytes());
        let bytes = bytes_of(&tensor.shape, tensor.ggml_type);
        offset += bytes + padding(bytes);
    }
    let missing = padding(header.len());
    header.resize(header.len() + missing, 0);
    out.write_all(&header)
}

/// Bytes of a tensor.
pub fn bytes_of(shape: &[usize], ggml_type: GgmlType) -> usize {
    ggml_type.bytes_of(shape.iter().product())
}

/// How many zeros follow so many bytes.
pub fn padding(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT) - bytes
}

fn text(header: &mut Vec<u8>, text: &str) {
    header.extend_from_slice(&(text.len() as u64).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
}
