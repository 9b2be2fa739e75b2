//! A file in chunks of any size in, whole tensors out: each byte goes straight to its final place.

use std::{collections::BTreeMap, io::Read};

use half::{bf16, f16};
use sha2::{Digest, Sha256};

use super::{GgmlType, Header, header::matrix};
use crate::error::{Error, Result};

/// One tensor and its bytes as the file holds them.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Dimensions, slowest first.
    pub shape: Vec<usize>,
    /// The element type.
    pub ggml_type: GgmlType,
    /// The blocks.
    pub data: Vec<u8>,
}

impl Tensor {
    /// The tensor as a matrix: one row for a vector, the first dimension's rows otherwise.
    pub fn matrix(&self) -> [usize; 2] {
        matrix(&self.shape)
    }

    /// The elements of an unquantised tensor; `None` for block types.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let halves = || self.data.chunks_exact(2).map(|b| [b[0], b[1]]);
        match self.ggml_type {
            GgmlType::F32 => {
                Some(self.data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            GgmlType::F16 => Some(halves().map(|b| f16::from_le_bytes(b).to_f32()).collect()),
            GgmlType::BF16 => Some(halves().map(|b| bf16::from_le_bytes(b).to_f32()).collect()),
            _ => None,
        }
    }
}

/// A file that has come whole.
#[derive(Clone, Debug)]
pub struct File {
    /// Its header.
    pub header: Header,
    /// Its tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Bytes of the file.
    pub bytes: usize,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

impl File {
    /// Reads a whole file.
    ///
    /// # Errors
    /// A model error when it cannot be read, is damaged or ends early.
    pub fn read(mut source: impl Read) -> Result<Self> {
        let mut stream = Stream::default();
        let mut chunk = vec![0; 1 << 20];
        loop {
            let n = source.read(&mut chunk).map_err(|e| {
                Error::model("The model file could not be read; check the disk and try again.").because(e)
            })?;
            if n == 0 {
                return stream.finish();
            }
            stream.push(&chunk[..n])?;
        }
    }
}

/// A file that is coming.
#[derive(Default)]
pub struct Stream {
    state: State,
    bytes: usize,
    hash: Sha256,
}

enum State {
    /// The header's bytes so far, and how many there must be before parsing is tried again.
    Header { bytes: Vec<u8>, retry_at: usize },
    /// The data section; `next` is the first tensor that is not yet whole, `early` what came along with the header.
    Data { header: Header, tensors: BTreeMap<String, Tensor>, next: usize, early: Vec<u8> },
}

impl Default for State {
    fn default() -> Self {
        Self::Header { bytes: Vec::new(), retry_at: 0 }
    }
}

impl Stream {
    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// A model error when the header is damaged or memory runs out.
    pub fn push(&mut self, chunk: &[u8]) -> Result<()> {
        self.hash.update(chunk);
        let start = self.bytes;
        self.bytes += chunk.len();
        match &mut self.state {
            State::Header { bytes, retry_at } => {
                bytes.extend_from_slice(chunk);
                if bytes.len() < *retry_at {
                    return Ok(());
                }
                // Parsing again from the start only when there is twice as much keeps the work linear.
                *retry_at = bytes.len() * 2;
                self.parse_header()
            }
            State::Data { header, tensors, next, early } => {
                place_early(header, tensors, next, early)?;
                route(header, tensors, next, start, chunk)
            }
        }
    }

    /// SHA-256 of what has come.
    pub fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// The header, once enough bytes have come.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Header { .. } => None,
            State::Data { header, .. } => Some(header),
        }
    }

    /// The same, to take from it what is not needed twice. Until more bytes come, no tensor has room of its own: what is
    /// built from the header now can use the room that the header's parts leave, before the weights lie behind it.
    pub fn header_mut(&mut self) -> Option<&mut Header> {
        match &mut self.state {
            State::Header { .. } => None,
            State::Data { header, .. } => Some(header),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// A model error that says how much is missing when the file ends early.
    pub fn finish(mut self) -> Result<File> {
        self.parse_header()?;
        let State::Data { header, mut tensors, mut next, mut early } = self.state else {
            return Err(Error::model(format!(
                "The model file ends after {} bytes, inside its header; download it again.",
                self.bytes
            )));
        };
        place_early(&header, &mut tensors, &mut next, &mut early)?;
        let end = header.tensors.last().map_or(header.data_start, |t| header.data_start + t.offset + t.bytes);
        if self.bytes < end {
            return Err(Error::model(format!(
                "The model file ends early, after {} of {end} bytes; download it again.",
                self.bytes
            )));
        }
        Ok(File { header, tensors, bytes: self.bytes, sha256: self.hash.finalize().into() })
    }

    fn parse_header(&mut self) -> Result<()> {
        let State::Header { bytes, .. } = &mut self.state else { return Ok(()) };
        let Some(header) = Header::parse(bytes)? else { return Ok(()) };
        let early = bytes.get(header.data_start..).unwrap_or_default().to_vec();
        self.state = State::Data { header, tensors: BTreeMap::new(), next: 0, early };
        Ok(())
    }
}

/// Puts what came along with the header where it belongs.
fn place_early(
    header: &Header,
    tensors: &mut BTreeMap<String, Tensor>,
    next: &mut usize,
    early: &mut Vec<u8>,
) -> Result<()> {
    let early = std::mem::take(early);
    if early.is_empty() { Ok(()) } else { route(header, tensors, next, header.data_start, &early) }
}

/// Puts `chunk`, which lies at byte `start` of the file, into the tensors it belongs to. Tensors are in the order of
/// their bytes and do not overlap; chunks come in order and leave no gap.
fn route(
    header: &Header,
    tensors: &mut BTreeMap<String, Tensor>,
    next: &mut usize,
    start: usize,
    chunk: &[u8],
) -> Result<()> {
    let end = start + chunk.len();
    while let Some(info) = header.tensors.get(*next) {
        let first = header.data_start + info.offset;
        if first >= end {
            break;
        }
        if !tensors.contains_key(&info.name) {
            let mut data = Vec::new();
            data.try_reserve_exact(info.bytes).map_err(|e| {
                Error::model(format!(
                    "There is not enough memory for the model: tensor `{}` needs {} bytes. Choose a smaller model.",
                    info.name, info.bytes
                ))
                .because(e)
            })?;
            let tensor = Tensor { shape: info.shape.clone(), ggml_type: info.ggml_type, data };
            tensors.insert(info.name.clone(), tensor);
        }
        let Some(tensor) = tensors.get_mut(&info.name) else { break };
        let from = first + tensor.data.len();
        let upto = (first + info.bytes).min(end);
        tensor.data.extend_from_slice(&chunk[from - start..upto - start]);
        if upto < first + info.bytes {
            break;
        }
        *next += 1;
    }
    Ok(())
}
