//! The header of a GGUF file: metadata, and the name, shape, type and place of every tensor.

use std::collections::{BTreeMap, HashSet};

use super::{
    GgmlType, Value,
    reader::{Read, Reader, Stop},
};
use crate::error::{Error, Result};

/// What a file says of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// The tensor's name.
    pub name: String,
    /// Dimensions, slowest first (a PyTorch `Linear` is `[out, in]`), one to four of them.
    pub shape: Vec<usize>,
    /// The element type.
    pub ggml_type: GgmlType,
    /// Bytes from the start of the data section.
    pub offset: usize,
    /// Bytes of the tensor.
    pub bytes: usize,
}

impl TensorInfo {
    /// The tensor as a matrix: one row for a vector, the first dimension's rows otherwise.
    pub fn matrix(&self) -> [usize; 2] {
        matrix(&self.shape)
    }
}

/// A shape as a matrix. A convolution's kernel `[out, in, h, w]` is `[out, in·h·w]`, as the patch embedding is used.
pub(super) fn matrix(shape: &[usize]) -> [usize; 2] {
    match shape {
        [] => [1, 1],
        [n] => [1, *n],
        [rows, rest @ ..] => [*rows, rest.iter().product()],
    }
}

/// The metadata and tensor table of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    metadata: BTreeMap<String, Value>,
    /// The tensors, in the order of their bytes.
    pub tensors: Vec<TensorInfo>,
    /// Where the data section begins, in bytes from the start of the file.
    pub data_start: usize,
}

impl Header {
    /// Reads a header from the first bytes of a file; `None` when it goes on past them.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::error::ErrorKind::Model) when the bytes are not GGUF v2/v3, or name a tensor type
    /// Loupe does not read.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        match parse(bytes) {
            Ok(header) => Ok(Some(header)),
            Err(Stop::Incomplete) => Ok(None),
            Err(Stop::Damaged(why)) => Err(Error::model(format!(
                "This is not a model file Loupe can read: {why}. Give a GGUF file (version 2 or 3), or download it again."
            ))),
        }
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// As [`Header::list`], but taken out: vocabularies are large, and the header is not asked for one twice.
    ///
    /// # Errors
    /// Those of [`Header::list`]; what was taken is missing.
    pub fn take_list<T>(&mut self, key: &str, read: impl Fn(Value) -> Option<T>) -> Result<Vec<T>> {
        let values = match self.metadata.remove(key).ok_or_else(|| missing(key))? {
            Value::Array(values) => values.into_iter().map(read).collect(),
            _ => None,
        };
        values.ok_or_else(|| wrong(key, "a list of one kind"))
    }

    /// A whole number that must be there, from 1 to 2³¹ − 1.
    ///
    /// # Errors
    /// A model error naming the key when it is missing or out of range.
    pub fn size(&self, key: &str) -> Result<usize> {
        self.optional_size(key)?.ok_or_else(|| missing(key))
    }

    /// As [`Header::size`], `None` when the key is missing.
    ///
    /// # Errors
    /// A model error naming the key when it is out of range.
    pub fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        self.get(key)
            .map(|v| match v.unsigned() {
                Some(n @ 1..=0x7fff_ffff) => Ok(n as usize),
                _ => Err(wrong(key, "a whole number of at least 1")),
            })
            .transpose()
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// A model error naming the key when it is missing or not a finite number.
    pub fn number(&self, key: &str) -> Result<f32> {
        let v = self.get(key).ok_or_else(|| missing(key))?;
        match v.number() {
            Some(n) if n.is_finite() => Ok(n as f32),
            _ => Err(wrong(key, "a number")),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// A model error naming the key when it is missing or not text.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.get(key).ok_or_else(|| missing(key))?.text().ok_or_else(|| wrong(key, "text"))
    }

    /// An array that must be there, each element read by `read`.
    ///
    /// # Errors
    /// A model error naming the key when it is missing, not an array, or holds an element that `read` refuses.
    pub fn list<T>(&self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>> {
        let values = self.get(key).ok_or_else(|| missing(key))?.array();
        values
            .and_then(|values| values.iter().map(read).collect::<Option<_>>())
            .ok_or_else(|| wrong(key, "a list of one kind"))
    }
}

fn missing(key: &str) -> Error {
    Error::model(format!("The model file lacks `{key}`; it is incomplete or of a kind Loupe does not support."))
}

fn wrong(key: &str, want: &str) -> Error {
    Error::model(format!("`{key}` in the model file should be {want}; the file is damaged or not supported."))
}

fn parse(bytes: &[u8]) -> Read<Header> {
    let mut r = Reader::new(bytes);
    if !b"GGUF".starts_with(&bytes[..bytes.len().min(4)]) {
        return Err(Stop::Damaged("it does not begin with the letters GGUF".into()));
    }
    r.take(4)?;
    let version = r.u32()?;
    if !(2..=3).contains(&version) {
        return Err(Stop::Damaged(format!("its version is {version}")));
    }
    let tensor_count = r.count("tensors")?;
    let value_count = r.count("metadata values")?;
    let mut metadata = BTreeMap::new();
    for _ in 0..value_count {
        let key = r.text()?;
        metadata.insert(key, r.value()?);
    }
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..tensor_count {
        let info = tensor(&mut r)?;
        if !names.insert(info.name.clone()) {
            return Err(Stop::Damaged(format!("it holds tensor `{}` twice", info.name)));
        }
        tensors.push(info);
    }
    let alignment = match metadata.get("general.alignment").map(Value::unsigned) {
        None => 32,
        Some(Some(a)) if a.is_power_of_two() && a <= 1 << 20 => a as usize,
        Some(_) => return Err(Stop::Damaged("its alignment is not a power of two".into())),
    };
    tensors.sort_by_key(|t| t.offset);
    for pair in tensors.windows(2) {
        if pair[0].offset + pair[0].bytes > pair[1].offset {
            return Err(Stop::Damaged(format!("tensors `{}` and `{}` overlap", pair[0].name, pair[1].name)));
        }
    }
    let data_start = r.position().next_multiple_of(alignment);
    Ok(Header { metadata, tensors, data_start })
}

fn tensor(r: &mut Reader) -> Read<TensorInfo> {
    let name = r.text()?;
    let damaged = |why: String| Stop::Damaged(format!("tensor `{name}` {why}"));
    let dims = r.u32()?;
    if !(1..=4).contains(&dims) {
        return Err(damaged(format!("has {dims} dimensions")));
    }
    let mut shape = Vec::with_capacity(4);
    for _ in 0..dims {
        match r.count("elements in a tensor row")? {
            0 => return Err(damaged("is empty".into())),
            n => shape.push(n),
        }
    }
    let code = r.u32()?;
    let ggml_type = GgmlType::from_code(code).ok_or_else(|| {
        damaged(format!("has the unsupported type {code} (supported: F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K)"))
    })?;
    if shape[0] % ggml_type.block_len() != 0 {
        return Err(damaged(format!("has rows of {}, which {ggml_type:?} blocks do not divide", shape[0])));
    }
    shape.reverse();
    // Half the address space of wasm32 bounds one tensor; products of hostile dimensions end here.
    let bytes = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .and_then(|n| (n / ggml_type.block_len()).checked_mul(ggml_type.block_bytes()))
        .filter(|&n| n <= i32::MAX as usize)
        .ok_or_else(|| damaged("is larger than 2 GiB".into()))?;
    let offset = r.u64()?;
    let offset = usize::try_from(offset)
        .ok()
        .filter(|o| o.checked_add(bytes).is_some_and(|end| end <= isize::MAX as usize / 2))
        .ok_or_else(|| damaged("lies past the end of any file".into()))?;
    Ok(TensorInfo { name, shape, ggml_type, offset, bytes })
}
