//! Layers of quantised weights: activations become integers, once for all layers that read them.

use std::marker::PhantomData;

use super::{Columns, Linear};
use crate::exec::cpu::{
    activate,
    blocks::{Blocks, Visitor},
    gemm::{DEPTH, Multiply, ROWS, SUMS, Unpack},
    gemv::Gemv,
    machine::{Machine, Panels, Shared},
    quantise::{GROUP, QuantiseRow, QuantiseTile, TOKENS},
};

/// Bytes of activations that pass by one panel after the other: they are to stay in the second cache.
const SWEEP: usize = 1 << 20;

/// A layer whose weights are quantised in a way that has kernels.
pub struct Quantised<'a, 'b> {
    pub layer: &'a mut Linear<'b>,
    pub machine: &'a mut Machine,
}

impl Visitor for Quantised<'_, '_> {
    type Output = &'static str;

    fn visit<B: Blocks>(self) -> &'static str {
        match self.layer.x.len() / self.layer.weight.cols {
            1 => self.layer.vector::<B>(self.machine),
            tokens => self.layer.matrix::<B>(self.machine, tokens),
        }
        "int8"
    }
}

impl Linear<'_> {
    fn vector<B: Blocks>(&mut self, machine: &mut Machine) {
        let rows = self.part(machine);
        let &mut Self { value, x, weight, bias, act, ref mut y } = self;
        let k = weight.cols;
        if machine.quantised.replace(value) != Some(value) {
            machine.row.reserve(k, machine.isa.dot());
            machine.isa.run(QuantiseRow { x, to: &mut machine.row });
        }
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
                isa.run(QuantiseTile { x, k, stride: k, codes, scales, sums });
            });
        }
        let sweep = (SWEEP / (TOKENS * k * bytes)).clamp(1, tiles);
        for panels in machine.panels.each() {
            panels.codes.reserve();
            panels.sums.resize(panels.sums.len().max(sweep * SUMS), 0.0);
        }
        let panels = n.div_ceil(ROWS);
        let (of, x, out) = (&machine.panels, &machine.tiles, Shared::new(y));
        machine.pool.run(panels * tiles.div_ceil(sweep), &|job, thread| {
            let (first, row) = (job / panels * sweep, job % panels * ROWS);
            // The thread's own.
            let Panels { codes: panel, sums, .. } = unsafe { of.of(thread) };
            let rows = weight.data[row * weight.stride()..].as_ptr();
            let out = Columns::<3>::new(out, (tokens, n), row, bias, act);
            for start in (0..k).step_by(DEPTH) {
                let (part, tiles) = (start..k.min(start + DEPTH), first..tiles.min(first + sweep));
                let count = out.count;
                isa.run(Unpack::<B> { rows, count, k, part: part.clone(), to: panel, blocks: PhantomData });
                isa.run(Multiply::<B, _> { panel, k, part, x, tiles, sums, out, blocks: PhantomData });
            }
        });
    }
}
