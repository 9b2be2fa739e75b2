//! Layers of f32 and f16 weights, and of types that have no kernel of their own: those are turned to f32 a few rows at a
//! time.

use std::marker::PhantomData;

use super::{Columns, Linear};
use crate::{
    exec::cpu::{
        activate, blocks,
        isa::Isa,
        machine::{Floats, Machine, Shared},
        sgemm::{F16, F32, Gemv, Multiply, Pack, ROWS, TOKENS},
        weights::Weight,
    },
    gguf::GgmlType,
};

/// Bytes of activations that pass by one panel after the other: they are to stay in the second cache.
const SWEEP: usize = 256 << 10;

impl Linear<'_> {
    /// Computes the layer; how it was done.
    pub fn floats(&mut self, machine: &mut Machine) -> &'static str {
        let k = self.weight.cols;
        machine.panels.each().for_each(|panel| panel.floats.reserve(k));
        match self.x.len() / k {
            1 => self.float_vector(machine),
            tokens => self.float_matrix(machine, tokens),
        }
        match self.weight.ggml_type {
            GgmlType::F32 => "f32",
            GgmlType::F16 => "f16",
            _ => "f32, for want of a kernel",
        }
    }

    fn float_vector(&mut self, machine: &mut Machine) {
        let part = self.part(machine);
        let &mut Self { x, weight, bias, act, ref mut y, .. } = self;
        let (isa, of, out) = (machine.isa, &machine.panels, Shared::new(y));
        machine.pool.run(weight.rows.div_ceil(part), &|job, thread| {
            let first = job * part;
            let count = part.min(weight.rows - first);
            // Each job has rows of its own, each thread its own scratch.
            let (y, scratch) =
                unsafe { (std::slice::from_raw_parts_mut(out.at(first), count), &mut of.of(thread).floats) };
            let rows = weight.data[first * weight.stride()..].as_ptr();
            match weight.ggml_type {
                GgmlType::F32 => isa.run(Gemv::<F32> { rows: rows.cast(), x, y, floats: PhantomData }),
                GgmlType::F16 => isa.run(Gemv::<F16> { rows: rows.cast(), x, y, floats: PhantomData }),
                _ => {
                    for (at, y) in y.chunks_mut(ROWS).enumerate() {
                        let rows = unpack(weight, first + at * ROWS, y.len(), scratch);
                        isa.run(Gemv::<F32> { rows, x, y, floats: PhantomData });
                    }
                }
            }
            let bias = bias.map(|bias| &bias[first..first + count]);
            isa.run(activate::Finish { y, bias, act });
        });
    }

    fn float_matrix(&mut self, machine: &mut Machine, tokens: usize) {
        let &mut Self { x, weight, bias, act, ref mut y, .. } = self;
        let (k, n, isa) = (weight.cols, weight.rows, machine.isa);
        let tiles = tokens.div_ceil(TOKENS);
        let sweep = (SWEEP / (TOKENS * k * size_of::<f32>())).clamp(1, tiles);
        let panels = n.div_ceil(ROWS);
        let (of, out) = (&machine.panels, Shared::new(y));
        machine.pool.run(panels * tiles.div_ceil(sweep), &|job, thread| {
            let (first, row) = (job / panels * sweep, job % panels * ROWS);
            let out = Columns::<2>::new(out, (tokens, n), row, bias, act);
            // The thread's own scratch.
            let scratch = unsafe { &mut of.of(thread).floats };
            pack(isa, weight, row, out.count, scratch);
            let tiles = first..tiles.min(first + sweep);
            isa.run(Multiply { panel: &scratch.panel, x, k, tiles, out });
        });
    }
}

fn pack(isa: Isa, weight: &Weight, row: usize, count: usize, scratch: &mut Floats) {
    let k = weight.cols;
    let rows = weight.data[row * weight.stride()..].as_ptr();
    match weight.ggml_type {
        GgmlType::F32 => isa.run(Pack::<F32> { rows: rows.cast(), count, stride: k, k, to: &mut scratch.panel }),
        GgmlType::F16 => isa.run(Pack::<F16> { rows: rows.cast(), count, stride: k, k, to: &mut scratch.panel }),
        _ => {
            let rows = unpack(weight, row, count, scratch);
            isa.run(Pack::<F32> { rows, count, stride: k, k, to: &mut scratch.panel });
        }
    }
}

/// Up to eight rows as f32.
fn unpack(weight: &Weight, row: usize, count: usize, scratch: &mut Floats) -> *const f32 {
    let rows = &mut scratch.rows[..count * weight.cols];
    let bytes = &weight.data[row * weight.stride()..(row + count) * weight.stride()];
    blocks::dequantise(weight.ggml_type, bytes, rows);
    rows.as_ptr()
}
