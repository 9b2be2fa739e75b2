//! `loupe quantize`: a model file with smaller weights.
//!
//! Tensors are read, turned and written one after the other, a few rows at a time, so a file much larger than memory can be
//! turned; metadata is copied byte for byte but for the few values that tell of the change.

mod codes;
mod pad;
mod scheme;

use std::{
    io::{Read, Seek, SeekFrom, Write},
    thread,
};

pub use self::{
    pad::{Growth, Widening, widen},
    scheme::{SCHEMES, Scheme},
};

use crate::{
    error::{Error, Result},
    exec::cpu::blocks::dequantise,
    gguf::{Entries, GgmlType, Header, TensorInfo, bytes_of, padding, write_header},
};

/// Numbers that a thread turns at a time.
const PART: usize = 4 << 20;

/// What is told while a file is being turned.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The tensor that was written, and what it became.
    pub tensor: &'a str,
    /// Its type in the file read.
    pub from: GgmlType,
    /// Its type in the file written.
    pub to: GgmlType,
    /// Tensors written, of how many.
    pub done: usize,
    /// All of them.
    pub total: usize,
}

/// A tensor on its way.
struct Turn {
    from: TensorInfo,
    to: TensorInfo,
    growth: Growth,
}

/// Writes `input`, a GGUF file, to `output` with its matrices in the types of `scheme`. Tells `progress` after every
/// tensor, and stops between two when that says false. True when the file is whole.
///
/// # Errors
/// A model error when the file is damaged or cannot be read, a storage error when the other cannot be written.
pub fn quantize(
    mut input: impl Read + Seek,
    output: &mut impl Write,
    scheme: Scheme,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<bool> {
    let (header, mut entries) = read_header(&mut input)?;
    let widening = Widening::of(&header, scheme.multiple);
    if let Some((key, widening)) = &widening {
        entries.set(key, widening.width());
    }
    entries.set("general.file_type", scheme.file_type);
    entries.set("general.quantization_version", 2);
    // The format's default is what is written.
    entries.remove("general.alignment");
    let turns = plan(&header, scheme, widening.map(|(_, widening)| widening));
    let to: Vec<TensorInfo> = turns.iter().map(|turn| turn.to.clone()).collect();
    write_header(output, &entries, &to).map_err(unwritable)?;
    let total = turns.len();
    for (at, turn) in turns.iter().enumerate() {
        input.seek(SeekFrom::Start((header.data_start + turn.from.offset) as u64)).map_err(unreadable)?;
        turn.write(&mut input, output)?;
        let written = bytes_of(&turn.to.shape, turn.to.ggml_type);
        output.write_all(&vec![0; padding(written)]).map_err(unwritable)?;
        let (from, to) = (turn.from.ggml_type, turn.to.ggml_type);
        if !progress(Progress { tensor: &turn.from.name, from, to, done: at + 1, total }) {
            return Ok(false);
        }
    }
    output.flush().map_err(unwritable)?;
    Ok(true)
}

fn read_header(input: &mut (impl Read + Seek)) -> Result<(Header, Entries)> {
    let (mut bytes, mut want) = (Vec::new(), 1 << 20);
    loop {
        input.by_ref().take(want - bytes.len() as u64).read_to_end(&mut bytes).map_err(unreadable)?;
        match Header::parse(&bytes)? {
            Some(header) => return Ok((header, Entries::parse(&bytes)?)),
            None if (bytes.len() as u64) < want => {
                return Err(Error::model(format!(
                    "The model file ends after {} bytes, inside its header; get the file again.",
                    bytes.len()
                )));
            }
            None => want *= 4,
        }
    }
}

fn plan(header: &Header, scheme: Scheme, widening: Option<Widening>) -> Vec<Turn> {
    let kind = header.text("general.architecture").unwrap_or_default();
    let layers = header.size(&format!("{kind}.block_count")).unwrap_or(0);
    let tied = header.tensors.iter().all(|tensor| tensor.name != "output.weight");
    let turn = |from: &TensorInfo| {
        let (mut to, growth) = (from.clone(), widening.map_or_else(Growth::default, |w| w.growth(from)));
        let [first, .., last] = &mut to.shape[..] else {
            to.shape[0] += growth.rows;
            return Turn { from: from.clone(), to, growth };
        };
        *first += growth.rows;
        *last += growth.columns;
        to.ggml_type = scheme.of(&to, layers, tied).unwrap_or(from.ggml_type);
        Turn { from: from.clone(), to, growth }
    };
    header.tensors.iter().map(turn).collect()
}

impl Turn {
    fn write(&self, input: &mut impl Read, output: &mut impl Write) -> Result<()> {
        let columns = self.from.shape.last().copied().unwrap_or(1);
        let stride = self.from.ggml_type.bytes_of(columns);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let part = (PART / columns).max(1);
        let mut left = self.from.bytes / stride;
        let mut bytes = Vec::new();
        while left > 0 {
            let rows = left.min(part * threads);
            bytes.resize(rows * stride, 0);
            input.read_exact(&mut bytes).map_err(unreadable)?;
            for turned in self.turn(&bytes, part * stride)? {
                output.write_all(&turned).map_err(unwritable)?;
            }
            left -= rows;
        }
        if self.growth.rows == 0 {
            return Ok(());
        }
        // A vector's numbers are rows of one.
        let columns = if self.to.shape.len() == 1 { 1 } else { columns + self.growth.columns };
        let zeros = codes::quantise(&vec![0.0; self.growth.rows * columns], columns, self.to.ggml_type)?;
        output.write_all(&zeros).map_err(unwritable)
    }

    /// Whole rows, so many bytes to a thread.
    fn turn(&self, bytes: &[u8], part: usize) -> Result<Vec<Vec<u8>>> {
        if self.from.ggml_type == self.to.ggml_type && self.growth.columns == 0 {
            return Ok(vec![bytes.to_vec()]);
        }
        thread::scope(|scope| {
            let parts: Vec<_> = bytes.chunks(part).map(|part| scope.spawn(|| self.turn_part(part))).collect();
            let dead = |_| Error::internal("A thread of the quantiser died; report this.");
            parts.into_iter().map(|part| part.join().map_err(dead)?).collect()
        })
    }

    fn turn_part(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (from, columns) = (self.from.ggml_type, self.from.shape.last().copied().unwrap_or(1));
        let mut numbers = vec![0.0; bytes.len() / from.block_bytes() * from.block_len()];
        dequantise(from, bytes, &mut numbers);
        let columns_after = columns + self.growth.columns;
        if self.growth.columns > 0 {
            numbers = widen(&numbers, columns, self.growth.columns);
        }
        codes::quantise(&numbers, columns_after, self.to.ggml_type)
    }
}

fn unreadable(cause: std::io::Error) -> Error {
    Error::model("The model file could not be read to its end; get it again, or check the disk.").because(cause)
}

fn unwritable(cause: std::io::Error) -> Error {
    use crate::error::ErrorKind::Storage;
    Error::of_kind(Storage, "The new file could not be written; is there room on the disk?").because(cause)
}
