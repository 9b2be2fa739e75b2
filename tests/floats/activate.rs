//! Activations, gates and sums.

use loupe::{
    exec::cpu::{
        activate::{Activate, Add, Finish, Gate, Scale},
        isa::Isa,
    },
    graph::Act,
};

use crate::{EPS, close, noise};

/// The normal distribution's part below x: erf by its series and, far out, erfc by its continued fraction.
fn normal(x: f64) -> f64 {
    let z = x.abs() / 2f64.sqrt();
    let tail = if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..200 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        0.5 - sum / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..100).rev().fold(z, |below, n| z + f64::from(n) / 2.0 / below);
        0.5 * (-z * z).exp() / std::f64::consts::PI.sqrt() / fraction
    };
    if x < 0.0 { tail } else { 1.0 - tail }
}

fn activation(act: Act, x: f64) -> f64 {
    let sigmoid = |t: f64| 1.0 / (1.0 + (-t).exp());
    match act {
        Act::Silu => x * sigmoid(x),
        Act::GeluTanh => x * sigmoid(2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))),
        Act::GeluErf => x * normal(x),
        Act::GeluQuick => x * sigmoid(1.702 * x),
        Act::Sigmoid => sigmoid(x),
        Act::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
    }
}

const ACTS: [Act; 6] = [Act::Silu, Act::GeluTanh, Act::GeluErf, Act::GeluQuick, Act::Sigmoid, Act::Softplus];

/// Ordinary numbers of every size and the awkward ones.
fn arguments() -> Vec<f32> {
    let mut x: Vec<f32> = (-1400..=1400).map(|i| i as f32 / 100.0).collect();
    for scale in [1e-40, 1e-10, 1.0, 30.0, 90.0, 1e4, 1e18] {
        x.extend(noise(7, 101).iter().map(|v| v * scale));
    }
    x.extend([0.0, -0.0, f32::MIN_POSITIVE, -1e-45, 88.8, -88.8, 1e30, -1e30]);
    x
}

#[test]
fn activations_and_sums_follow_their_formulas() {
    let all = arguments();
    for isa in Isa::available() {
        // Every way of ending: no sixteen, a part of one, several and a part.
        for len in [0, 1, 3, 15, 16, 17, 100, all.len()] {
            let x = &all[all.len() - len..];
            let b = &noise(9, len)[..];
            let mut y = vec![0.0; len];
            for act in ACTS {
                // The module promises 2⁻²²·|x|, of at least 1 for those that are not 0 at 0; 1e-37 is where 2ᵗ gives up.
                let least = if matches!(act, Act::Sigmoid | Act::Softplus) { 1.0 } else { 0.0 };
                let bound = |x: f32| 4.0 * EPS * f64::from(x.abs().max(least)) + 1e-37;
                isa.run(Activate { x, y: &mut y, act });
                let want: Vec<_> = x.iter().map(|&x| (activation(act, x.into()), bound(x))).collect();
                close(&format!("{act:?}"), isa, &y, &want);

                isa.run(Gate { a: x, b, y: &mut y, act: Some(act) });
                let gated = |(&x, &b): (&f32, &f32)| {
                    let (want, b) = (activation(act, x.into()), f64::from(b));
                    (want * b, bound(x) * b.abs() + EPS * (want * b).abs() + 1e-37)
                };
                let want: Vec<_> = x.iter().zip(b).map(gated).collect();
                close(&format!("gated {act:?}"), isa, &y, &want);

                y.copy_from_slice(x);
                isa.run(Finish { y: &mut y, bias: Some(b), act: Some(act) });
                let finished = |(&x, &b): (&f32, &f32)| (activation(act, (x + b).into()), bound(x + b));
                let want: Vec<_> = x.iter().zip(b).map(finished).collect();
                close(&format!("finished {act:?}"), isa, &y, &want);

                y.copy_from_slice(x);
                isa.run(Finish { y: &mut y, bias: None, act: Some(act) });
                let want: Vec<_> = x.iter().map(|&x| (activation(act, x.into()), bound(x))).collect();
                close(&format!("finished {act:?} without bias"), isa, &y, &want);
            }
            let exact = |y: &[f32], want: &dyn Fn(usize) -> f32| {
                assert!(y.iter().enumerate().all(|(i, y)| y.to_bits() == want(i).to_bits()), "{}", isa.name());
            };
            isa.run(Add { a: x, b, y: &mut y });
            exact(&y, &|i| x[i] + b[i]);
            isa.run(Gate { a: x, b, y: &mut y, act: None });
            exact(&y, &|i| x[i] * b[i]);
            isa.run(Scale { x, y: &mut y, factor: -0.3 });
            exact(&y, &|i| x[i] * -0.3);
            y.copy_from_slice(x);
            isa.run(Finish { y: &mut y, bias: None, act: None });
            exact(&y, &|i| x[i]);
        }
    }
}
