//! The weights, re-laid for kernels that read words: codes in one stream, scales in another, fifth and sixth bits in a third.
//!
//! The blocks of a file are 18, 34 or 210 bytes long, of which a GPU can read none in whole words. Re-laid, eight weights are
//! a word (or two, or four), and neighbouring threads read neighbouring ones. A weight larger than a binding may be is cut
//! into parts by rows.

use std::collections::HashMap;

use super::{
    device::{Device, Fault},
    pack::pack,
};
use crate::{
    error::{Error, Result},
    exec::cpu::blocks,
    gguf::{GgmlType, Tensor},
};

/// How the kernels can read weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names are those of the file format")]
pub enum Format {
    F32,
    F16,
    Q8_0,
    Q4_0,
    Q5_0,
    Q4_K,
    Q5_K,
    Q6_K,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::F32, Self::F16, Self::Q8_0, Self::Q4_0, Self::Q5_0, Self::Q4_K, Self::Q5_K, Self::Q6_K];

    /// The format of a file's type, if there is one.
    fn of(ggml_type: GgmlType) -> Option<Self> {
        Some(match ggml_type {
            GgmlType::F32 => Self::F32,
            GgmlType::F16 => Self::F16,
            GgmlType::Q8_0 => Self::Q8_0,
            GgmlType::Q4_0 => Self::Q4_0,
            GgmlType::Q5_0 => Self::Q5_0,
            GgmlType::Q4_K => Self::Q4_K,
            GgmlType::Q5_K => Self::Q5_K,
            GgmlType::Q6_K => Self::Q6_K,
            _ => return None,
        })
    }

    /// Bytes that eight codes take in their stream, the longest of a weight.
    fn bytes_of_eight(self) -> u64 {
        match self {
            Self::F32 => 32,
            Self::F16 => 16,
            Self::Q8_0 => 8,
            _ => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q5_0 => "q5_0",
            Self::Q4_K => "q4_k",
            Self::Q5_K => "q5_k",
            Self::Q6_K => "q6_k",
        }
    }
}

/// A matrix of weights.
pub struct Weight<D: Device> {
    pub format: Format,
    /// How it is computed with, for traces.
    pub how: &'static str,
    pub rows: usize,
    pub cols: usize,
    pub parts: Vec<Rows<D>>,
    /// Its numbers, if it is one row.
    pub floats: Vec<f32>,
}

/// Some rows of a weight, in one buffer.
pub struct Rows<D: Device> {
    pub buffer: D::Buffer,
    /// The first row, and how many there are.
    pub first: usize,
    pub count: usize,
    /// The first byte and the bytes of each stream.
    pub streams: Vec<(u64, u64)>,
}

/// All of them.
pub struct Weights<D: Device> {
    names: HashMap<String, usize>,
    all: Vec<Weight<D>>,
}

impl<D: Device> Default for Weights<D> {
    fn default() -> Self {
        Self { names: HashMap::new(), all: Vec::new() }
    }
}

impl<D: Device> Weights<D> {
    /// Re-lays a tensor on the GPU.
    ///
    /// # Errors
    /// A model error when there are not as many bytes as its shape needs, a memory error when the GPU has no room.
    pub fn insert(&mut self, device: &D, name: &str, tensor: Tensor) -> Result<()> {
        let ([rows, cols], ggml_type) = (tensor.matrix(), tensor.ggml_type);
        if !cols.is_multiple_of(ggml_type.block_len()) || tensor.data.len() != ggml_type.bytes_of(rows * cols) {
            return Err(Error::model(format!("The tensor `{name}` could not be read; the file is damaged.")));
        }
        // Vectors and the taps of convolutions are read number by number.
        let small = rows == 1 || cols < 32;
        let format = Format::of(ggml_type);
        let (format, how, data, floats) = match format {
            Some(format) if format == Format::F32 || !small => (format, format.name(), tensor.data, vec![]),
            _ => {
                let mut floats = vec![0.0; rows * cols];
                blocks::dequantise(ggml_type, &tensor.data, &mut floats);
                let how = if format.is_some() { "f32" } else { "f32, for want of a kernel" };
                (Format::F32, how, floats.iter().flat_map(|x| x.to_le_bytes()).collect(), floats)
            }
        };
        let floats = match (rows, floats.is_empty()) {
            (1, true) => data.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            (1, false) => floats,
            _ => vec![],
        };
        let codes = cols.div_ceil(8) as u64 * format.bytes_of_eight();
        let most = (device.about().binding / codes.max(1)).max(1) as usize;
        let stride = data.len() / rows.max(1);
        let parts = (0..rows)
            .step_by(most)
            .map(|first| {
                let count = most.min(rows - first);
                upload(device, first, count, &pack(format, &data[first * stride..(first + count) * stride], cols))
            })
            .collect::<Result<_>>()?;
        let weight = Weight { format, how, rows, cols, parts, floats };
        match self.names.get(name) {
            Some(&at) => self.all[at] = weight,
            None => {
                self.names.insert(name.to_owned(), self.all.len());
                self.all.push(weight);
            }
        }
        Ok(())
    }

    /// Where a weight is.
    ///
    /// # Errors
    /// An internal error when it was never loaded, or not in this shape.
    pub fn find(&self, name: &str, shape: [usize; 2]) -> Result<usize> {
        let at = self.names.get(name).copied().filter(|&at| [self.all[at].rows, self.all[at].cols] == shape);
        at.ok_or_else(|| Error::internal(format!("The weight `{name}` is not loaded as {shape:?}; report this.")))
    }
}

impl<D: Device> std::ops::Index<usize> for Weights<D> {
    type Output = Weight<D>;

    fn index(&self, at: usize) -> &Weight<D> {
        &self.all[at]
    }
}

fn upload<D: Device>(device: &D, first: usize, count: usize, streams: &[Vec<u32>]) -> Result<Rows<D>> {
    let mut end = 0;
    let places: Vec<_> = streams
        .iter()
        .map(|words| {
            let place = (end, size_of_val(&words[..]) as u64);
            end = (end + place.1).next_multiple_of(256);
            place
        })
        .collect();
    if end > device.about().buffer {
        return Err(Fault::Memory(format!("a weight of {end} bytes")).error());
    }
    let buffer = device.buffer(end);
    for (words, (start, _)) in streams.iter().zip(&places) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        device.write(&buffer, *start, &bytes);
    }
    device.fault().map_or(Ok(Rows { buffer, first, count, streams: places }), |fault| Err(fault.error()))
}
