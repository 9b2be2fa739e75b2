//! Whether a GPU computes what it should, asked before a model is trusted to it: drivers are wrong more often than
//! processors.

use super::{Device, Gpu, Wish};
use crate::{
    error::{Error, ErrorKind, Result},
    exec::{Executor, Input, cpu::blocks},
    gguf::{GgmlType, Tensor},
    graph::{Builder, Live, Plan, Rows},
};

const OUTS: usize = 48;
const COLS: usize = 256;
/// One row goes through the kernel for decoding, nine through the one for prompts.
const ROWS: [usize; 2] = [1, 9];
/// Of the largest result: numbers of 16 bits come this close, and a wrong kernel does not.
const TOLERANCE: f64 = 0.004;

impl<D: Device> Gpu<D> {
    /// On this device, after it has multiplied by a small quantised matrix as it should.
    ///
    /// # Errors
    /// Of kind [`Gpu`](ErrorKind::Gpu) when it did not, or whatever it failed with.
    pub async fn checked(device: D, wish: Wish) -> Result<Self> {
        let mut gpu = Self::on(device, wish);
        let mut g = Builder::default();
        let x = g.input("x", Rows::Tokens, COLS);
        let w = g.weight("w", [OUTS, COLS]);
        let y = g.linear(x, w, None, None);
        let plan = Plan::new(g.finish(vec![y])?);
        let (tensor, weights) = matrix();
        gpu.load("w", tensor)?;
        for rows in ROWS {
            let x: Vec<f32> = (0..rows * COLS).map(|i| (i * 7919 % 201) as f32 / 100.0 - 1.0).collect();
            let live = Live { tokens: rows, ..Live::default() };
            gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None)?;
            let off = off(&gpu.read(0).await?, &x, &weights);
            if off > TOLERANCE {
                let why = format!("a product of {rows} rows is off by {off:.4}");
                return Err(
                    Error::of_kind(ErrorKind::Gpu, "The GPU computes wrongly; run on the processor.").because(why)
                );
            }
        }
        Ok(Self::on(gpu.device, wish))
    }
}

/// A matrix in Q8_0, `[OUTS, COLS]`, and the numbers it means.
fn matrix() -> (Tensor, Vec<f32>) {
    let ggml_type = GgmlType::Q8_0;
    let mut data: Vec<u8> = (0..ggml_type.bytes_of(OUTS * COLS)).map(|i| (i * 37 % 251) as u8).collect();
    for block in data.chunks_exact_mut(ggml_type.block_bytes()) {
        // The scale, 1/64 as a half.
        block[..2].copy_from_slice(&[0x00, 0x24]);
    }
    let mut weights = vec![0.0; OUTS * COLS];
    blocks::dequantise(ggml_type, &data, &mut weights);
    (Tensor { shape: vec![OUTS, COLS], ggml_type, data }, weights)
}

/// The largest error, as a part of the largest number wanted; infinite when there is no number, or not so many.
fn off(got: &[f32], x: &[f32], weights: &[f32]) -> f64 {
    let products = |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>();
    let want: Vec<f64> =
        x.chunks_exact(COLS).flat_map(|x| weights.chunks_exact(COLS).map(move |w| products(x, w))).collect();
    if got.len() != want.len() || got.iter().any(|y| !y.is_finite()) {
        return f64::INFINITY;
    }
    let largest = want.iter().fold(0f64, |most, y| most.max(y.abs()));
    got.iter().zip(&want).map(|(y, want)| (f64::from(*y) - want).abs()).fold(0.0, f64::max) / largest
}
