//! How fast the kernels are, layer by layer, for `cargo xtask bench --kernels`.

use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::{isa::Isa, linear::Linear, machine::Machine, pool::Pool, weights::Weight};
use crate::{
    error::{Error, Result},
    gguf::GgmlType,
    graph::Builder,
};

/// A layer of random weights: `[m, k]` times `[n, k]`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Layer {
    /// The number that stands for the weights' type in a file.
    pub code: u32,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Milliseconds to keep measuring.
    pub ms: f64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Speed {
    pub isa: &'static str,
    pub threads: usize,
    pub repeats: usize,
    /// The median of the repeats.
    pub ms: f64,
    /// 2·m·n·k a second, in thousand millions.
    pub gops: f64,
    /// Bytes of weights a second, in thousand millions.
    pub gbs: f64,
}

/// Kernels to be measured.
pub struct Bench(Machine);

impl Bench {
    /// On so many threads.
    pub fn new(isa: Isa, threads: usize) -> Self {
        Self(Machine::new(isa, Pool::new(threads)))
    }

    /// Measures a layer.
    ///
    /// # Errors
    /// A usage error for an unknown type or a k that is no whole number of its blocks.
    pub fn layer(&mut self, layer: Layer) -> Result<Speed> {
        let Layer { m, n, k, .. } = layer;
        let ggml_type = GgmlType::from_code(layer.code).filter(|t| k.is_multiple_of(t.block_len()));
        let ggml_type =
            ggml_type.ok_or_else(|| Error::usage("There is no such type, or k is no multiple of its block."))?;
        let bytes = n * k / ggml_type.block_len() * ggml_type.block_bytes();
        // Any two of these bytes are an ordinary half: none is denormal, infinite or no number.
        let data = (0..bytes).map(|i| 0x20 + (i.wrapping_mul(0x9e37_79b9) >> 11) as u8 % 0x1b).collect();
        let weight = Weight { ggml_type, rows: n, cols: k, data, floats: Vec::new() };
        let x: Vec<f32> = (0..m * k).map(|i| ((i * 7919 % 2003) as f32 - 1001.0) / 1001.0).collect();
        let mut y = vec![0.0; m * n];
        let value = Builder::default().input("x", crate::graph::Rows::Fixed(m), k);
        let (mut times, start) = (Vec::new(), Instant::now());
        while times.len() < 5 || start.elapsed().as_secs_f64() * 1e3 < layer.ms {
            self.0.quantised = None;
            let begun = Instant::now();
            Linear { value, x: &x, weight: &weight, bias: None, act: None, y: &mut y }.run(&mut self.0);
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let ms = times[times.len() / 2];
        Ok(Speed {
            isa: self.0.isa.name(),
            threads: self.0.pool.threads(),
            repeats: times.len(),
            ms,
            gops: 2.0 * (m * n * k) as f64 / ms / 1e6,
            gbs: bytes as f64 / ms / 1e6,
        })
    }
}
