//! The weights, as their files hold them.

use std::collections::HashMap;

use super::blocks;
use crate::{
    error::{Error, Result},
    gguf::{GgmlType, Tensor},
};

/// A matrix of weights.
pub struct Weight {
    pub ggml_type: GgmlType,
    pub rows: usize,
    pub cols: usize,
    /// The file's bytes, row by row: the only copy there is.
    pub data: Vec<u8>,
    /// The same as f32, for the few small ones that are used element by element (column by column for convolutions); else
    /// empty.
    pub floats: Vec<f32>,
}

/// All of them.
#[derive(Default)]
pub struct Weights {
    names: HashMap<String, usize>,
    all: Vec<Weight>,
}

impl Weight {
    /// Bytes of a row.
    pub fn stride(&self) -> usize {
        self.cols / self.ggml_type.block_len() * self.ggml_type.block_bytes()
    }

    /// The bytes of row `at`.
    pub fn row(&self, at: usize) -> &[u8] {
        &self.data[at * self.stride()..][..self.stride()]
    }

    fn dequantise(&self) -> Result<Vec<f32>> {
        let mut floats = Vec::new();
        floats.try_reserve_exact(self.rows * self.cols).map_err(|_| {
            Error::model("There is not enough memory for this model; close other pages or take a smaller model.")
        })?;
        floats.resize(self.rows * self.cols, 0.0);
        blocks::dequantise(self.ggml_type, &self.data, &mut floats);
        Ok(floats)
    }
}

impl Weights {
    /// Takes a tensor.
    ///
    /// # Errors
    /// A model error when there are not as many bytes as its shape needs.
    pub fn insert(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        let [rows, cols] = tensor.matrix();
        let ggml_type = tensor.ggml_type;
        let weight = Weight { ggml_type, rows, cols, data: tensor.data, floats: Vec::new() };
        if !cols.is_multiple_of(ggml_type.block_len()) || weight.data.len() != rows * weight.stride() {
            return Err(Error::model(format!("The tensor `{name}` could not be read; the file is damaged.")));
        }
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

    /// Sees to it that a weight can be read element by element.
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    pub fn unpack(&mut self, at: usize) -> Result<()> {
        if self.all[at].floats.is_empty() {
            self.all[at].floats = self.all[at].dequantise()?;
        }
        Ok(())
    }

    /// The same, column by column.
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    pub fn unpack_columns(&mut self, at: usize) -> Result<()> {
        let weight = &mut self.all[at];
        if weight.floats.is_empty() {
            let rows = weight.dequantise()?;
            let column = |c: usize| rows.iter().skip(c).step_by(weight.cols);
            weight.floats = (0..weight.cols).flat_map(column).copied().collect();
        }
        Ok(())
    }
}

impl std::ops::Index<usize> for Weights {
    type Output = Weight;

    fn index(&self, at: usize) -> &Weight {
        &self.all[at]
    }
}
