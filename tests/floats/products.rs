//! Products of f32 activations and weights of f32 and f16.

use std::marker::PhantomData;

use half::f16;
use loupe::exec::cpu::{
    isa::Isa,
    sgemm::{F16, F32, Floats, Gemv, Multiply, Out, Pack, ROWS, Sums, TOKENS},
    simd::Simd,
};

use crate::{EPS, close, noise};

/// The sums of one panel in y, `[tokens, n]`, from a column on.
struct Columns<'a> {
    y: &'a mut [f32],
    n: usize,
    column: usize,
}

impl Out for Columns<'_> {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &Sums<S>) {
        for (y, sums) in self.y.chunks_mut(self.n).skip(at * TOKENS).zip(sums) {
            let mut columns = [0f32; ROWS];
            unsafe {
                S::store(columns.as_mut_ptr(), sums[0]);
                S::store(columns.as_mut_ptr().add(4), sums[1]);
            }
            let count = ROWS.min(y.len() - self.column);
            y[self.column..][..count].copy_from_slice(&columns[..count]);
        }
    }
}

fn matrix<F: Floats>(isa: Isa, w: &[F::Number], x: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
    // What is left over of an earlier call must not show.
    let (mut panel, mut y) = (vec![f32::NAN; k * ROWS], vec![f32::NAN; m * n]);
    for column in (0..n).step_by(ROWS) {
        let count = ROWS.min(n - column);
        let rows = w[column * k..].as_ptr();
        isa.run(Pack::<F> { rows, count, stride: k, k, to: &mut panel });
        for first in (0..m.div_ceil(TOKENS)).step_by(2) {
            let tiles = first..m.div_ceil(TOKENS).min(first + 2);
            isa.run(Multiply { panel: &panel, x, k, tiles, out: Columns { y: &mut y, n, column } });
        }
    }
    y
}

#[test]
fn products_are_those_of_their_numbers() {
    for isa in Isa::available() {
        for [m, n, k] in [[1, 1, 1], [5, 3, 7], [6, 8, 16], [7, 9, 33], [13, 20, 130], [4, 40, 588]] {
            for (name, scale) in [("noise", 1.0), ("huge", 1e15), ("tiny", 1e-18), ("denormal weights", 1e-40)] {
                let w: Vec<f32> = noise(1, n * k).iter().map(|v| v * scale).collect();
                let halves: Vec<u16> = w.iter().map(|&v| f16::from_f32(v.clamp(-6e4, 6e4)).to_bits()).collect();
                let exact: Vec<f32> = halves.iter().map(|&v| f16::from_bits(v).to_f32()).collect();
                let x = noise(2, m * k);
                let want = |w: &[f32], x: &[f32]| -> Vec<(f64, f64)> {
                    let sum = |at: usize| {
                        let terms = x[at / n * k..][..k].iter().zip(&w[at % n * k..][..k]);
                        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), (x, w)| {
                            let term = f64::from(*x) * f64::from(*w);
                            (sum + term, size + term.abs())
                        });
                        // k products and k sums, one after the other; a denormal's rounding is absolute.
                        (sum, size * (k + 2) as f64 * EPS + k as f64 * 1e-45)
                    };
                    (0..x.len() / k * n).map(sum).collect()
                };
                let name = format!("{name} [{m}, {k}] x [{n}, {k}]");
                close(&name, isa, &matrix::<F32>(isa, &w, &x, [m, n, k]), &want(&w, &x));
                close(&format!("{name}, f16"), isa, &matrix::<F16>(isa, &halves, &x, [m, n, k]), &want(&exact, &x));
                let mut y = vec![f32::NAN; n];
                let x = &x[..k];
                isa.run(Gemv::<F32> { rows: w.as_ptr(), x, y: &mut y, floats: PhantomData });
                close(&format!("{name}, one token"), isa, &y, &want(&w, x));
                isa.run(Gemv::<F16> { rows: halves.as_ptr(), x, y: &mut y, floats: PhantomData });
                close(&format!("{name}, one token, f16"), isa, &y, &want(&exact, x));
            }
        }
    }
}
