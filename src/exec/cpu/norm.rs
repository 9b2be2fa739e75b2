//! Layer and RMS norms.

use super::simd::{Kernel, Simd};
use crate::graph::NormKind;

/// Every group of `len` neighbours of x normalised, then times `weight` and plus `bias`.
///
/// Two passes, the mean and then the squares about it, so that a large mean does not swallow the variance.
pub struct Norm<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub kind: NormKind,
    pub len: usize,
    pub weight: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
    pub eps: f32,
}

impl Kernel for Norm<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.len;
        let [weight, bias] = [self.weight, self.bias].map(|v| v.map_or(&[][..], |v| &v[..len]));
        for (x, y) in self.x.chunks_exact(len).zip(self.y.chunks_exact_mut(len)) {
            unsafe {
                let mean = match self.kind {
                    NormKind::Rms => 0.0,
                    NormKind::Layer => sum::<S, false>(x, 0.0) / len as f32,
                };
                let square = sum::<S, true>(x, mean) / len as f32;
                let by = 1.0 / (square + self.eps).sqrt();
                finish::<S>(x, y, mean, by, weight, bias);
            }
        }
    }
}

/// Σ x or, SQUARED, Σ (x − mean)², in sixteen parts: its error is that of len/16 + 4 additions.
#[inline(always)]
unsafe fn sum<S: Simd, const SQUARED: bool>(x: &[f32], mean: f32) -> f32 {
    unsafe {
        let mut parts = [S::zero(); 4];
        let sixteens = x.chunks_exact(16);
        let rest = sixteens.remainder();
        for x in sixteens {
            for (i, part) in parts.iter_mut().enumerate() {
                let x = S::load(x.as_ptr().add(4 * i));
                let off = S::sub(x, S::splat(mean));
                *part = if SQUARED { S::fma(off, off, *part) } else { S::add(*part, x) };
            }
        }
        let [a, b, c, d] = parts;
        let mut sum = S::sum(S::add(S::add(a, b), S::add(c, d)));
        for &x in rest {
            sum += if SQUARED { (x - mean) * (x - mean) } else { x };
        }
        sum
    }
}

/// y = (x − mean)·by·weight + bias; an empty one is none.
#[inline(always)]
unsafe fn finish<S: Simd>(x: &[f32], y: &mut [f32], mean: f32, by: f32, weight: &[f32], bias: &[f32]) {
    let whole = x.len() / 4 * 4;
    for at in (0..whole).step_by(4) {
        unsafe {
            let x = S::mul(S::sub(S::load(x.as_ptr().add(at)), S::splat(mean)), S::splat(by));
            let mut v = if weight.is_empty() { x } else { S::mul(x, S::load(weight.as_ptr().add(at))) };
            if !bias.is_empty() {
                v = S::add(v, S::load(bias.as_ptr().add(at)));
            }
            S::store(y.as_mut_ptr().add(at), v);
        }
    }
    for at in whole..x.len() {
        y[at] = (x[at] - mean) * by * weight.get(at).unwrap_or(&1.0) + bias.get(at).unwrap_or(&0.0);
    }
}
