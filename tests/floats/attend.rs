//! Attention: every shape of head, mask and source.

use half::f16;
use loupe::{
    exec::cpu::{
        attend::{Attention, Shape, Source},
        isa::Isa,
    },
    graph::Mask,
};

use crate::{EPS, close, noise};

fn run(isa: Isa, call: &Attention) -> Vec<f32> {
    let shape = call.shape;
    // What is left over of an earlier call must not show.
    let mut packed = vec![f32::NAN; shape.packed()];
    let mut scratch = vec![f32::NAN; shape.scratch()];
    let mut y = vec![f32::NAN; call.q.len()];
    for group in call.groups() {
        for job in (0..call.packs(&group)).rev() {
            unsafe { call.pack(isa, &group, job, packed.as_mut_ptr()) };
        }
        for job in 0..call.jobs(&group) {
            unsafe { call.attend(isa, &group, job, &packed, &mut scratch, y.as_mut_ptr()) };
        }
    }
    y
}

/// The definition, with what it may be off by.
fn define(shape: Shape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<(f64, f64)> {
    let Shape { rows, keys, heads, kv_heads, dim, scale, mask } = shape;
    let mut want = Vec::new();
    for row in 0..rows {
        for head in 0..heads {
            let seen = if mask == Mask::Causal { keys - rows + row + 1 } else { keys };
            let channel =
                |of: &[f32], key: usize, d: usize| f64::from(of[(key * kv_heads + head * kv_heads / heads) * dim + d]);
            let (mut scores, mut size) = (Vec::new(), 0f64);
            for key in 0..seen {
                let product = |d: usize| f64::from(q[(row * heads + head) * dim + d]) * channel(k, key, d);
                scores.push((0..dim).map(product).sum::<f64>() * f64::from(scale));
                size = size.max((0..dim).map(|d| product(d).abs()).sum::<f64>() * f64::from(scale));
            }
            // A score has the roundings of its query, its products and sums, and of the largest one's taken off it.
            let off = (dim + 5) as f64 * EPS * size;
            // Weights are that much off as a factor, once more in their sum; both sums have a rounding for each key.
            let factor = (2.0 * off).exp_m1() + (2 * seen + 12) as f64 * EPS;
            let most = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(*s));
            let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            want.extend((0..dim).map(|d| {
                let terms = weights.iter().enumerate().map(|(key, w)| w * channel(v, key, d) / total);
                let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
                // Weights below 2⁻¹²⁵ are nothing, and a denormal's rounding is absolute.
                (sum, size * factor + seen as f64 * 1e-37)
            }));
        }
    }
    want
}

#[test]
fn attention_is_its_definition() {
    use Mask::{Causal, Full};
    let shapes = [
        // rows, keys, heads, kv_heads, dim
        (1, 1, 1, 1, 1, Causal),
        (1, 9, 6, 3, 8, Causal),
        (1, 16, 2, 1, 64, Full),
        (1, 133, 9, 3, 72, Causal),
        (1, 40, 1, 1, 256, Causal),
        (2, 9, 4, 1, 72, Causal),
        (5, 5, 4, 2, 16, Causal),
        (6, 8, 1, 1, 8, Full),
        (7, 130, 2, 2, 80, Full),
        (13, 13, 3, 3, 19, Causal),
        (16, 77, 2, 2, 96, Full),
        (20, 150, 4, 2, 5, Causal),
        (64, 64, 1, 1, 64, Full),
        // More heads than are packed at a time.
        (5, 1100, 16, 8, 64, Causal),
    ];
    for isa in Isa::available() {
        for (rows, keys, heads, kv_heads, dim, mask) in shapes {
            let scale = 1.0 / (dim as f32).sqrt();
            let shape = Shape { rows, keys, heads, kv_heads, dim, scale, mask };
            // Ordinary scores; equal ones; ones so far apart that all weights but one are nothing; denormal ones.
            for (name, size) in [("noise", 1.0), ("all equal", 0.0), ("far apart", 40.0), ("denormal", 1e-21)] {
                let q: Vec<f32> = noise(1, rows * heads * dim).iter().map(|v| v * size).collect();
                let [k, v] = [2, 3].map(|seed| -> Vec<u16> {
                    let size = if seed == 2 { size.max(1e-3) } else { 1.0 };
                    noise(seed, keys * kv_heads * dim).iter().map(|v| f16::from_f32(v * size).to_bits()).collect()
                });
                let [exact_k, exact_v] =
                    [&k, &v].map(|x| x.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect::<Vec<_>>());
                let want = define(shape, &q, &exact_k, &exact_v);
                let name = format!("{name}, {shape:?}");
                let sources = [(Source::F32(&exact_k), Source::F32(&exact_v)), (Source::F16(&k), Source::F16(&v))];
                for (k, v) in sources {
                    close(&name, isa, &run(isa, &Attention { shape, q: &q, k, v }), &want);
                }
            }
        }
    }
}
