//! act(x·Wᵀ + b), whatever W is stored as.

mod floats;
mod quantised;

use super::{activate, blocks, gemm, machine::Machine, machine::Shared, sgemm, simd::Simd, weights::Weight};
use crate::graph::{Act, Value};

/// A layer in a call.
pub struct Linear<'a> {
    /// What `x` is a value of.
    pub value: Value,
    /// `[tokens, in]`
    pub x: &'a [f32],
    /// `[out, in]`
    pub weight: &'a Weight,
    /// `[out]`
    pub bias: Option<&'a [f32]>,
    pub act: Option<Act>,
    /// `[tokens, out]`
    pub y: &'a mut [f32],
}

impl Linear<'_> {
    /// Computes the layer; how it was done.
    pub fn run(mut self, machine: &mut Machine) -> &'static str {
        if self.x.is_empty() {
            return "no rows";
        }
        let ggml_type = self.weight.ggml_type;
        let visitor = quantised::Quantised { layer: &mut self, machine };
        blocks::with(ggml_type, visitor).unwrap_or_else(|| self.floats(machine))
    }

    /// Into how many rows of weights a product with one token is cut for the threads: a few parts each, so that one that
    /// is held up leaves its rest to the others.
    fn part(&self, machine: &Machine) -> usize {
        match machine.pool.threads() {
            1 => self.weight.rows,
            threads => self.weight.rows.div_ceil(4 * threads).next_multiple_of(4),
        }
    }
}

/// Eight rows of weights in a panel, for both kinds of product.
const ROWS: usize = gemm::ROWS;
const _: () = assert!(sgemm::ROWS == ROWS);

/// Where a panel's products go: up to eight columns of y.
struct Columns {
    y: Shared<f32>,
    /// Columns of y.
    n: usize,
    /// The first column.
    row: usize,
    count: usize,
    tokens: usize,
    bias: [f32; ROWS],
    act: Option<Act>,
}

impl Columns {
    fn new(y: Shared<f32>, layer: (usize, usize), row: usize, bias: Option<&[f32]>, act: Option<Act>) -> Self {
        let (tokens, n) = layer;
        let count = ROWS.min(n - row);
        let mut biases = [0.0; ROWS];
        if let Some(bias) = bias {
            biases[..count].copy_from_slice(&bias[row..row + count]);
        }
        Self { y, n, row, count, tokens, bias: biases, act }
    }

    /// Takes the sums of the tokens from `first` on that there are.
    #[inline(always)]
    unsafe fn put<S: Simd>(&mut self, first: usize, sums: &[[S::V; 2]]) {
        unsafe {
            let bias = [S::load(self.bias.as_ptr()), S::load(self.bias.as_ptr().add(4))];
            for (token, sums) in (first..self.tokens).zip(sums) {
                let mut y = [S::add(sums[0], bias[0]), S::add(sums[1], bias[1])];
                if let Some(act) = self.act {
                    y = [activate::act::<S>(act, y[0]), activate::act::<S>(act, y[1])];
                }
                let to = self.y.at(token * self.n + self.row);
                if self.count == ROWS {
                    S::store(to, y[0]);
                    S::store(to.add(4), y[1]);
                } else {
                    to.copy_from_nonoverlapping(y.as_ptr().cast(), self.count);
                }
            }
        }
    }
}

impl gemm::Out for Columns {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &[[S::V; 2]; gemm::TOKENS]) {
        unsafe { self.put::<S>(at * gemm::TOKENS, sums) }
    }
}

impl sgemm::Out for Columns {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &sgemm::Sums<S>) {
        unsafe { self.put::<S>(at * sgemm::TOKENS, sums) }
    }
}
