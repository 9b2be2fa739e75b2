//! act(x·Wᵀ + b), whatever W is stored as.

use std::marker::PhantomData;

use super::{
    activate,
    blocks::{self, Blocks, Visitor},
    gemm::{self, Multiply, Out, Panel, Unpack},
    gemv::Gemv,
    machine::{Machine, Shared},
    quantise::{GROUP, QuantiseRow, QuantiseTile, TOKENS},
    simd::Simd,
    weights::Weight,
};
use crate::graph::{Act, Value};

/// Bytes of activations that pass by one panel after the other: they are to stay in the second cache.
const SWEEP: usize = 256 << 10;

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
        let ggml_type = self.weight.ggml_type;
        if self.x.is_empty() {
            return "nothing";
        }
        match blocks::with(ggml_type, Quantised { layer: &mut self, machine }) {
            Some(()) => "int8",
            None => self.floats(machine),
        }
    }

    fn vector<B: Blocks>(&mut self, machine: &mut Machine) {
        let &mut Self { value, x, weight, bias, act, ref mut y } = self;
        let k = weight.cols;
        if machine.quantised.replace(value) != Some(value) {
            machine.row.reserve(k, machine.isa.dot());
            machine.isa.run(QuantiseRow { x, to: &mut machine.row });
        }
        // A few parts a thread: one that is held up leaves its rest to the others.
        let rows = weight.rows.div_ceil(4 * machine.pool.threads()).next_multiple_of(4);
        let (isa, row, stride, out) = (machine.isa, &machine.row, weight.stride(), Shared::new(y));
        machine.pool.run(weight.rows.div_ceil(rows), &|job, _| {
            let first = job * rows;
            let count = rows.min(weight.rows - first);
            // Each job has rows of its own.
            let y = unsafe { std::slice::from_raw_parts_mut(out.at(first), count) };
            let rows = weight.data[first * stride..].as_ptr();
            isa.run(Gemv::<B> { rows, k, x: row, y, blocks: PhantomData });
            let bias = bias.map(|bias| &bias[first..first + count]);
            isa.run(activate::Finish { y, bias, act });
        });
    }

    fn matrix<B: Blocks>(&mut self, machine: &mut Machine, tokens: usize) {
        let &mut Self { value, x, weight, bias, act, ref mut y } = self;
        let (k, n) = (weight.cols, weight.rows);
        let (isa, bytes) = (machine.isa, machine.isa.dot().bytes());
        let tiles = tokens.div_ceil(TOKENS);
        if machine.quantised.replace(value) != Some(value) {
            machine.tiles.reserve(tokens, k, isa.dot());
            let codes = Shared::new(&mut machine.tiles.codes);
            let scales = Shared::new(&mut machine.tiles.scales);
            let sums = Shared::new(&mut machine.tiles.sums);
            machine.pool.run(tiles, &|tile, _| {
                let groups = tile * TOKENS * k / GROUP;
                let x = &x[tile * TOKENS * k..tokens.min((tile + 1) * TOKENS) * k];
                // Each job has a tile of its own.
                let (codes, scales, sums) =
                    unsafe { (codes.at(groups * GROUP * bytes), scales.at(groups), sums.at(groups)) };
                isa.run(QuantiseTile { x, k, codes, scales, sums });
            });
        }
        machine.panels.each().for_each(|panel: &mut Panel| panel.reserve(k));
        let sweep = (SWEEP / (TOKENS * k * bytes)).clamp(1, tiles);
        let panels = n.div_ceil(gemm::ROWS);
        let (of, x, out) = (&machine.panels, &machine.tiles, Shared::new(y));
        machine.pool.run(panels * tiles.div_ceil(sweep), &|job, thread| {
            let (first, row) = (job / panels * sweep, job % panels * gemm::ROWS);
            let count = gemm::ROWS.min(n - row);
            // The thread's own panel.
            let panel = unsafe { of.of(thread) };
            let rows = weight.data[row * weight.stride()..].as_ptr();
            isa.run(Unpack::<B> { rows, count, k, to: panel, blocks: PhantomData });
            let mut biases = [0.0; gemm::ROWS];
            if let Some(bias) = bias {
                biases[..count].copy_from_slice(&bias[row..row + count]);
            }
            let out = Columns { y: out, n, row, count, tokens, bias: biases, act };
            let tiles = first..tiles.min(first + sweep);
            isa.run(Multiply::<B, _> { panel, k, x, tiles, out, blocks: PhantomData });
        });
    }

    fn floats(&mut self, m: &mut Machine) -> &'static str {
        let k = self.weight.cols;
        let n = self.weight.rows;
        let mut row = vec![0.0; k];
        for j in 0..n {
            blocks::dequantise(self.weight.ggml_type, self.weight.row(j), &mut row);
            for (t, x) in self.x.chunks_exact(k).enumerate() {
                let d: f32 = x.iter().zip(&row).map(|(a, b)| a * b).sum();
                self.y[t * n + j] = d;
            }
        }
        for y in self.y.chunks_exact_mut(n) {
            m.isa.run(activate::Finish { y, bias: self.bias, act: self.act });
        }
        "stub"
    }
}

/// A layer whose weights are quantised in a way that has kernels.
struct Quantised<'a, 'b> {
    layer: &'a mut Linear<'b>,
    machine: &'a mut Machine,
}

impl Visitor for Quantised<'_, '_> {
    type Output = ();

    fn visit<B: Blocks>(self) {
        match self.layer.x.len() / self.layer.weight.cols {
            1 => self.layer.vector::<B>(self.machine),
            tokens => self.layer.matrix::<B>(self.machine, tokens),
        }
    }
}

/// Where a panel's products go: up to eight columns of y.
struct Columns {
    y: Shared<f32>,
    /// Columns of y.
    n: usize,
    /// The first column.
    row: usize,
    count: usize,
    tokens: usize,
    bias: [f32; gemm::ROWS],
    act: Option<Act>,
}

impl Out for Columns {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &[[S::V; 2]; TOKENS]) {
        unsafe {
            let bias = [S::load(self.bias.as_ptr()), S::load(self.bias.as_ptr().add(4))];
            for (token, sums) in (at * TOKENS..self.tokens).zip(sums) {
                let mut y = [S::add(sums[0], bias[0]), S::add(sums[1], bias[1])];
                if let Some(act) = self.act {
                    y = [activate::act::<S>(act, y[0]), activate::act::<S>(act, y[1])];
                }
                let to = self.y.at(token * self.n + self.row);
                if self.count == gemm::ROWS {
                    S::store(to, y[0]);
                    S::store(to.add(4), y[1]);
                } else {
                    to.copy_from_nonoverlapping(y.as_ptr().cast(), self.count);
                }
            }
        }
    }
}
