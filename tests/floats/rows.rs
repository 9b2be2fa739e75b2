//! What is done row by row: norms, rotary positions, the largest elements, halves.

use half::f16;
use loupe::{
    exec::cpu::{
        halves::{FromHalves, HalfCache, ToHalves},
        isa::Isa,
        norm::Norm,
        rope::{Rope, Tables},
        topk::TopK,
    },
    graph::{NormKind, RopeKind, Turn},
};

use crate::{EPS, close, noise};

#[test]
fn norms_follow_their_definition() {
    let eps = 1e-5f32;
    let rows = |len: usize| -> Vec<(&str, Vec<f32>)> {
        let noise = noise(3, 3 * len);
        vec![
            ("noise", noise.clone()),
            ("a large mean", noise.iter().map(|v| 1e4 + v).collect()),
            ("all equal", vec![0.7; 3 * len]),
            ("one that is huge", noise.iter().enumerate().map(|(i, v)| if i % len == 0 { 1e6 } else { *v }).collect()),
            ("next to nothing", noise.iter().map(|v| v * 1e-39).collect()),
        ]
    };
    for isa in Isa::available() {
        for len in [1, 3, 4, 16, 17, 72, 577, 768] {
            let (weight, bias) = (noise(1, len), noise(2, len));
            for (name, x) in rows(len) {
                for (kind, weight, bias) in [
                    (NormKind::Rms, Some(&weight[..]), None),
                    (NormKind::Rms, None, None),
                    (NormKind::Layer, Some(&weight[..]), Some(&bias[..])),
                    (NormKind::Layer, Some(&weight[..]), None),
                ] {
                    let mut y = vec![0.0; x.len()];
                    isa.run(Norm { x: &x, y: &mut y, kind, len, weight, bias, eps });
                    let mut want = Vec::new();
                    for group in x.chunks(len) {
                        let group: Vec<f64> = group.iter().map(|&v| v.into()).collect();
                        let n = len as f64;
                        let mean = if kind == NormKind::Layer { group.iter().sum::<f64>() / n } else { 0.0 };
                        let square = group.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                        let by = 1.0 / (square + f64::from(eps)).sqrt();
                        // Sixteen parts, their sum and a rest: no sum has more roundings than this.
                        let sums = (n / 16.0 + 20.0) * EPS;
                        let most = group.iter().fold(0f64, |m, v| m.max(v.abs()));
                        let mean_off = if kind == NormKind::Layer { (sums + EPS) * most } else { 0.0 };
                        // A mean that is off adds its square to the variance, in which its first order cancels.
                        let by_off = sums / 2.0 + 4.0 * EPS + (mean_off * by).powi(2) / 2.0;
                        for (i, v) in group.iter().enumerate() {
                            let at = |v: Option<&[f32]>, none: f64| v.map_or(none, |v| f64::from(v[i]));
                            let (w, b) = (at(weight, 1.0), at(bias, 0.0));
                            let scaled = (v - mean) * by * w;
                            let off =
                                mean_off * by * w.abs() + scaled.abs() * by_off + 2.0 * EPS * (scaled.abs() + b.abs());
                            want.push((scaled + b, off + 1e-44));
                        }
                    }
                    close(&format!("{kind:?} norm of {len}, {name}"), isa, &y, &want);
                }
            }
        }
    }
}

#[test]
fn ropes_turn_either_pairing() {
    for isa in Isa::available() {
        let mut tables = Tables::default();
        // Calls in the order of a prompt, two tokens, a shorter question, and a table that grows twice.
        for (position, rows) in [(0, 5), (5, 1), (6, 1), (2, 3), (300, 2), (4000, 3)] {
            for (dim, turned) in [(16, 16), (16, 8), (6, 6), (10, 6), (9, 2), (64, 64), (80, 40)] {
                for kind in [RopeKind::Halves, RopeKind::Pairs] {
                    let (heads, base) = (3, 1e4f32);
                    let x = noise(position as u64, rows * heads * dim);
                    let mut y = vec![0.0; x.len()];
                    let turn = Turn { kind, turned, base, factors: None };
                    let table = tables.rows(turn, None, position, rows);
                    isa.run(Rope { x: &x, y: &mut y, kind, heads, dim, turned, table });
                    let mut want: Vec<_> = x.iter().map(|&v| (f64::from(v), EPS)).collect();
                    for at in 0..rows * heads {
                        for i in 0..turned / 2 {
                            let (a, b) = match kind {
                                RopeKind::Pairs => (2 * i, 2 * i + 1),
                                RopeKind::Halves => (i, i + turned / 2),
                            };
                            let turn = f64::from(base).powf(-2.0 * i as f64 / turned as f64);
                            let (sin, cos) = f64::from(((position + at / heads) as f64 * turn) as f32).sin_cos();
                            let [p, q] = [a, b].map(|i| f64::from(x[at * dim + i]));
                            // Each product has the roundings of its cosine and its own, and the sum has one.
                            let off = 3.0 * EPS * (p.abs() + q.abs());
                            want[at * dim + a] = (p * cos - q * sin, off);
                            want[at * dim + b] = (p * sin + q * cos, off);
                        }
                    }
                    close(&format!("{kind:?} of {turned} in {dim} from {position}"), isa, &y, &want);
                }
            }
        }
    }
}

#[test]
fn the_largest_are_found_in_order() {
    for isa in Isa::available() {
        for (cols, k) in [(1, 1), (5, 5), (31, 3), (33, 8), (100, 100), (4097, 40)] {
            let up: Vec<f32> = (0..cols).map(|i| i as f32).collect();
            let table = [
                noise(4, cols),
                up.iter().map(|v| -v).collect(),
                up,
                vec![-0.5; cols],
                vec![f32::NEG_INFINITY; cols],
                // Few values, so many equals; zeros of both signs among them.
                noise(5, cols).iter().map(|v| (v * 2.0).round() * 0.5).collect(),
                noise(6, cols).iter().map(|v| 0f32.copysign(*v)).collect(),
            ];
            let (x, mut y) = (table.concat(), vec![0.0; table.len() * k]);
            isa.run(TopK { x: &x, cols, y: &mut y, k });
            for (row, y) in table.iter().zip(y.chunks(k)) {
                let mut order: Vec<usize> = (0..cols).collect();
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
                let want: Vec<f32> = order[..k].iter().map(|&i| i as f32).collect();
                assert_eq!(y, want, "{k} of {cols} on {}", isa.name());
            }
        }
    }
}

#[test]
fn halves_are_the_nearest_and_come_back() {
    let every: Vec<u16> = (0..=u16::MAX).filter(|&bits| !f16::from_bits(bits).is_nan()).collect();
    let exact: Vec<f32> = every.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect();
    for isa in Isa::available() {
        let mut back = vec![0.0; every.len()];
        isa.run(FromHalves { x: &every, y: &mut back });
        assert!(back.iter().zip(&exact).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", isa.name());
        // Every f16, what lies in the middle of two, and what lies just beside that.
        for scale in [1.0, 1.0 + f32::EPSILON, 1.0 - f32::EPSILON / 2.0] {
            let middle = |(i, v): (usize, &f32)| if i % 2 == 0 { *v } else { (v + exact[i - 1]) / 2.0 };
            let x: Vec<f32> = exact.iter().enumerate().map(middle).map(|v| v * scale).filter(|v| !v.is_nan()).collect();
            for len in [0, 1, 5, x.len()] {
                let mut y = vec![0; len];
                isa.run(ToHalves { x: &x[..len], y: &mut y });
                for (x, y) in x.iter().zip(y) {
                    assert_eq!(y, f16::from_f32(*x).to_bits(), "{x} on {}", isa.name());
                }
            }
        }
    }
}

#[test]
fn a_cache_grows_and_is_cut_back() {
    let cols = 5;
    for isa in Isa::available() {
        let (mut cache, mut held) = (HalfCache::default(), Vec::new());
        for (position, rows) in [(0, 3), (3, 2), (2, 1), (3, 600), (603, 1), (0, 2)] {
            let x = noise(position as u64 + 50, rows * cols);
            cache.store(isa, position, cols, &x);
            held.truncate(position * cols);
            held.extend(x.iter().map(|&v| f16::from_f32(v).to_bits()));
            assert_eq!(cache.rows(), held, "{}", isa.name());
        }
    }
}
