//! act(x·Wᵀ + b), whatever W is stored as.

mod floats;
mod quantised;

use super::{
    activate, blocks, gemm, machine::Machine, machine::Shared, math::Constants, sgemm, simd::Simd, weights::Weight,
};
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

/// Where a panel's products go: so many vectors of columns of y, the last perhaps not whole.
#[derive(Clone, Copy)]
struct Columns<const VECTORS: usize> {
    y: Shared<f32>,
    /// Columns of y.
    n: usize,
    /// The first column.
    row: usize,
    count: usize,
    tokens: usize,
    bias: [[f32; 4]; VECTORS],
    act: Option<Act>,
    constants: Constants,
}

impl<const VECTORS: usize> Columns<VECTORS> {
    fn new(y: Shared<f32>, layer: (usize, usize), row: usize, bias: Option<&[f32]>, act: Option<Act>) -> Self {
        let (tokens, n) = layer;
        let count = (4 * VECTORS).min(n - row);
        let mut biases = [[0.0; 4]; VECTORS];
        if let Some(bias) = bias {
            biases.as_flattened_mut()[..count].copy_from_slice(&bias[row..row + count]);
        }
        Self { y, n, row, count, tokens, bias: biases, act, constants: Constants::new() }
    }

    /// Takes the sums of the tokens from `first` on that there are.
    #[inline(always)]
    unsafe fn put<S: Simd>(&mut self, first: usize, sums: &[[S::V; VECTORS]]) {
        unsafe {
            for (token, sums) in (first..self.tokens).zip(sums) {
                let mut y = *sums;
                for (y, bias) in y.iter_mut().zip(&self.bias) {
                    *y = S::add(*y, S::load(bias.as_ptr()));
                    if let Some(act) = self.act {
                        *y = activate::act::<S>(act, *y, self.constants);
                    }
                }
                let to = self.y.at(token * self.n + self.row);
                if self.count == 4 * VECTORS {
                    for (at, &y) in y.iter().enumerate() {
                        S::store(to.add(4 * at), y);
                    }
                } else {
                    to.copy_from_nonoverlapping(y.as_ptr().cast(), self.count);
                }
            }
        }
    }
}

impl gemm::Out for Columns<3> {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &gemm::Sums<S>) {
        unsafe { self.put::<S>(at * gemm::TOKENS, sums) }
    }
}

impl sgemm::Out for Columns<2> {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &sgemm::Sums<S>) {
        unsafe { self.put::<S>(at * sgemm::TOKENS, sums) }
    }
}
