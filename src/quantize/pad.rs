//! Room in rows that blocks do not divide.
//!
//! The feed-forward networks of SigLIP-so400m are 4304 wide, which is no multiple of 32, so that published files hold a
//! quarter of the encoder as f16. Sixteen more channels that are always zero change nothing: their weights and biases are
//! zeros, every activation in use makes zero of zero, and what leads out of them is multiplied by zero. Only the two
//! matrices and the bias know of them, and the metadata's `feed_forward_length`.

use crate::gguf::{Header, TensorInfo};

/// How a tensor grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Rows added at the end (numbers, for a vector).
    pub rows: usize,
    /// Columns added at the end of every row.
    pub columns: usize,
}

/// A feed-forward network that is to be wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widening {
    from: usize,
    to: usize,
}

impl Widening {
    /// What the networks of a file need for blocks of so many numbers; `None` when they fit, or differ from layer to
    /// layer. The key that tells their width comes with it.
    pub fn of(header: &Header, block_len: usize) -> Option<(String, Self)> {
        let kind = header.text("general.architecture").ok()?;
        let key = if kind == "clip" {
            "clip.vision.feed_forward_length".into()
        } else {
            format!("{kind}.feed_forward_length")
        };
        let from = header.size(&key).ok()?;
        let to = from.next_multiple_of(block_len);
        (from != to).then_some((key, Self { from, to }))
    }

    /// The width after.
    pub fn width(&self) -> u32 {
        self.to as u32
    }

    /// What becomes of a tensor.
    pub fn growth(&self, tensor: &TensorInfo) -> Growth {
        let inside = ["ffn_up.", "ffn_down.", "ffn_gate."].iter().any(|part| tensor.name.contains(part))
            && !tensor.name.contains("ds_ffn");
        let more = |side: usize| if inside && side == self.from { self.to - self.from } else { 0 };
        // Old files call the first layer `ffn_down`: the side that is as long as the network is wide tells, not the name.
        match *tensor.shape.as_slice() {
            [n] => Growth { rows: more(n), columns: 0 },
            [rows, columns] => Growth { rows: more(rows), columns: more(columns) },
            _ => Growth::default(),
        }
    }
}

/// `[rows, columns]` numbers with zeros where they grow by so many columns.
pub fn widen(numbers: &[f32], columns: usize, more: usize) -> Vec<f32> {
    let zeros = vec![0.0; more];
    numbers.chunks_exact(columns).flat_map(|row| row.iter().chain(&zeros)).copied().collect()
}
