//! Attention: every shape of head, mask and source.

use half::f16;
use loupe::{
    exec::cpu::{
        attend::{Attention, Shape, Source, bytes},
        isa::Isa,
        quantise::TOKENS,
        simd::{Dot, Portable, Simd},
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

/// One query's scores, weights and values, by the definition.
struct Query {
    /// In binary orders of magnitude.
    scores: Vec<f64>,
    /// What each may be off by, in f32 and in bytes.
    off: [Vec<f64>; 2],
    /// `[seen][dim]`
    values: Vec<Vec<f64>>,
}

/// Half a code, of which 127 are the largest number of a group, and what f32 adds to it.
const HALF_CODE: f64 = 0.5 / 127.0 + 8.0 * EPS;
/// Half a code, and what the polynomial for weights in bytes is off by.
const HALF_WEIGHT: f64 = HALF_CODE + 1e-4;
const GROUP: usize = 32;

fn query(shape: Shape, q: &[f32], k: &[f32], v: &[f32], row: usize, head: usize) -> Query {
    let Shape { rows, keys, heads, kv_heads, dim, scale, mask, .. } = shape;
    let seen = if mask == Mask::Causal { keys - rows + row + 1 } else { keys };
    let at = |of: &[f32], key: usize| -> Vec<f64> {
        of[(key * kv_heads + head * kv_heads / heads) * dim..][..dim].iter().map(|&x| x.into()).collect()
    };
    let factor = f64::from(scale) * std::f64::consts::LOG2_E;
    let q: Vec<f64> = q[(row * heads + head) * dim..][..dim].iter().map(|&x| f64::from(x) * factor).collect();
    // In bytes, what a sample of the keys has in common is taken off them first.
    let sample: Vec<_> = (0..keys.min(32)).map(|i| at(k, i * keys / keys.min(32))).collect();
    let mean: Vec<f64> = (0..dim).map(|d| sample.iter().map(|k| k[d]).sum::<f64>() / sample.len() as f64).collect();
    let most = |x: &[f64]| x.iter().fold(0f64, |most, x| most.max(x.abs()));
    let (mut scores, mut floats, mut bytes) = (vec![], vec![], vec![]);
    for key in 0..seen {
        let k = at(k, key);
        scores.push(q.iter().zip(&k).map(|(q, k)| q * k).sum());
        // A score has the roundings of its query, its products and sums, and of the largest one's taken off it.
        let rounding = (dim + 5) as f64 * EPS;
        floats.push(rounding * q.iter().zip(&k).map(|(q, k)| (q * k).abs()).sum::<f64>());
        // In bytes both sides are off by half a code of their groups; the mean's sum and difference are rounded, too.
        let less: Vec<f64> = k.iter().zip(&mean).map(|(k, mean)| k - mean).collect();
        let mut off = 0.0;
        for ((q, less), (k, mean)) in
            q.chunks(GROUP).zip(less.chunks(GROUP)).zip(k.chunks(GROUP).zip(mean.chunks(GROUP)))
        {
            let (off_q, off_k) = (most(q) * HALF_CODE, most(less) * HALF_CODE);
            for ((q, less), (k, mean)) in q.iter().zip(less).zip(k.iter().zip(mean)) {
                off += q.abs() * off_k + less.abs() * off_q + off_q * off_k;
                off += q.abs() * (rounding * less.abs() + 40.0 * EPS * (k.abs() + mean.abs()));
            }
        }
        bytes.push(off);
    }
    Query { scores, off: [floats, bytes], values: (0..seen).map(|key| at(v, key)).collect() }
}

impl Query {
    /// Channel d, and what it may be off by, in f32 or in bytes.
    fn answer(&self, d: usize, bytes: bool) -> (f64, f64) {
        let (scores, off, seen) = (&self.scores, &self.off[usize::from(bytes)], self.scores.len());
        let most = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(*s));
        let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp2()).collect();
        let total: f64 = weights.iter().sum();
        let value = |key: usize| self.values[key][d];
        let sum = (0..seen).map(|key| weights[key] * value(key)).sum::<f64>() / total;
        let size = (0..seen).map(|key| weights[key] * value(key).abs()).sum::<f64>() / total;
        // Sums have a rounding for each key. Weights below 2⁻¹²⁵ are nothing, and a denormal's rounding is absolute.
        let rounding = size * (2 * seen + 12) as f64 * EPS + seen as f64 * 1e-37;
        if !bytes {
            // Weights are that much off as a factor, once more in their sum.
            let off = off.iter().fold(0f64, |most, off| most.max(*off));
            return (sum, size * (2.0 * off * std::f64::consts::LN_2).exp_m1() + rounding);
        }
        // A weight is as much off as its score makes it, and half a code of the largest in its group; a value half a code
        // of its group's largest. The sum of the weights, by which all is divided, is off by all of theirs.
        let (mut above, mut below, mut largest) = (0.0, 0.0, 0f64);
        for first in (0..seen).step_by(GROUP) {
            let group = first..seen.min(first + GROUP);
            let top = group.clone().fold(0f64, |top, key| top.max((scores[key] + off[key] - most).exp2()));
            let value_off = group.clone().fold(0f64, |most, key| most.max(value(key).abs())) * HALF_CODE;
            for key in group {
                let weight_off = weights[key] * (off[key].exp2() - 1.0) + top * HALF_WEIGHT;
                above += weight_off * value(key).abs() + (weights[key] + weight_off) * value_off;
                below += weight_off;
                largest = largest.max(value(key).abs() + value_off);
            }
        }
        // Whatever the weights, the answer is between the values.
        let anything = largest + sum.abs();
        let off = if below < total { (above + sum.abs() * below) / (total - below) } else { anything };
        (sum, off.min(anything) + rounding)
    }
}

/// The definition, with what it may be off by.
fn define(shape: Shape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<(f64, f64)> {
    let mut want = Vec::new();
    for row in 0..shape.rows {
        for head in 0..shape.heads {
            let query = query(shape, q, k, v, row, head);
            want.extend((0..shape.dim).map(|d| query.answer(d, shape.in_bytes().is_some())));
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
        (3, 1, 1, 1, 3, Full),
        (20, 150, 4, 2, 5, Full),
        (4, 1100, 2, 2, 256, Full),
        (2, 257, 2, 2, 260, Full),
        // More heads than are packed at a time.
        (5, 1100, 16, 8, 64, Causal),
    ];
    for isa in Isa::available() {
        for (rows, keys, heads, kv_heads, dim, mask) in shapes {
            let scale = 1.0 / (dim as f32).sqrt();
            let floats = Shape { rows, keys, heads, kv_heads, dim, scale, mask, bytes: None };
            // Ordinary scores; equal ones; ones so far apart that all weights but one are nothing; denormal ones.
            for (name, size) in [("noise", 1.0), ("all equal", 0.0), ("far apart", 40.0), ("denormal", 1e-21)] {
                let q: Vec<f32> = noise(1, rows * heads * dim).iter().map(|v| v * size).collect();
                let [k, v] = [2, 3].map(|seed| -> Vec<u16> {
                    let size = if seed == 2 { size.max(1e-3) } else { 1.0 };
                    noise(seed, keys * kv_heads * dim).iter().map(|v| f16::from_f32(v * size).to_bits()).collect()
                });
                let [exact_k, exact_v] =
                    [&k, &v].map(|x| x.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect::<Vec<_>>());
                let sources = [(Source::F32(&exact_k), Source::F32(&exact_v)), (Source::F16(&k), Source::F16(&v))];
                let bytes = Some(Shape { bytes: Some(isa.dot()), ..floats }).filter(|shape| shape.in_bytes().is_some());
                for shape in [Some(floats), bytes].into_iter().flatten() {
                    let want = define(shape, &q, &exact_k, &exact_v);
                    let name = format!("{name}, {shape:?}");
                    for (k, v) in sources {
                        close(&name, isa, &run(isa, &Attention { shape, q: &q, k, v }), &want);
                    }
                }
            }
        }
    }
}

/// As [`run`], in plain Rust that multiplies bytes as some machine does.
fn run_as<const DOT: u8>(call: &Attention) -> Vec<f32> {
    let &Attention { shape, q, k, v } = call;
    let mut packed = vec![f32::NAN; shape.packed()];
    let mut scratch = vec![f32::NAN; shape.scratch()];
    let mut y = vec![f32::NAN; q.len()];
    let own = shape.packed() / shape.group();
    for group in call.groups() {
        for (head, packed) in group.zip(packed.chunks_exact_mut(own)) {
            for first in (0..shape.keys).step_by(bytes::CHUNK) {
                let to = packed.as_mut_ptr();
                unsafe { Portable::<DOT>::enter(bytes::PackHead { shape, head, first, k, v, to }) };
            }
            for first in (0..shape.rows).step_by(TOKENS) {
                let (packed, scratch, y) = (&packed[..], &mut scratch[..], y.as_mut_ptr());
                unsafe { Portable::<DOT>::enter(bytes::Tile { shape, head, first, q, packed, scratch, y }) };
            }
        }
    }
    y
}

#[test]
fn bytes_are_multiplied_alike_on_every_machine() {
    for (rows, keys, heads, dim) in [(7, 130, 3, 72), (64, 64, 1, 64), (5, 200, 2, 7)] {
        let [q, k, v] = [(1, rows), (2, keys), (3, keys)].map(|(seed, rows)| noise(seed, rows * heads * dim));
        let shape = |dot| Shape {
            rows,
            keys,
            heads,
            kv_heads: heads,
            dim,
            scale: 1.0 / (dim as f32).sqrt(),
            mask: Mask::Full,
            bytes: Some(dot),
        };
        let call = |dot| Attention { shape: shape(dot), q: &q, k: Source::F32(&k), v: Source::F32(&v) };
        let pairs = run_as::<0>(&call(Dot::Pairs));
        assert_eq!(pairs, run_as::<1>(&call(Dot::Unsigned)), "{rows} × {keys}, {heads} heads of {dim}: unsigned");
        assert_eq!(pairs, run_as::<2>(&call(Dot::Signed)), "{rows} × {keys}, {heads} heads of {dim}: signed");
    }
}
