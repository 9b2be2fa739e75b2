//! Every f32 kernel on every instruction set of this machine against its definition in f64, within a bound that is
//! derived where it is given.

mod activate;
mod attend;
mod products;
mod rows;

use loupe::exec::cpu::isa::Isa;

/// Half the distance from 1 to the next f32: what one rounding may be off by, relative.
pub const EPS: f64 = 1.0 / (1u64 << 24) as f64;

/// Numbers in −1…1 that look random and are the same on every machine.
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// Fails when an element is further off than its bound, and always prints the worst of them.
#[track_caller]
pub fn close(name: &str, isa: Isa, got: &[f32], want: &[(f64, f64)]) {
    assert_eq!(got.len(), want.len(), "{name}: elements");
    let mut worst = (0.0, 0);
    for (at, (&got, &(want, bound))) in got.iter().zip(want).enumerate() {
        let off = if f64::from(got) == want { 0.0 } else { (f64::from(got) - want).abs() / bound };
        // A NaN is worse than anything.
        if off.is_nan() || off > worst.0 {
            worst = (off, at);
        }
    }
    let (part, at) = worst;
    let (want, bound) = want.get(at).copied().unwrap_or_default();
    let line = format!(
        "{name} on {}: element {at} is {:?}, should be {want:e}: {part:.2} of the bound {bound:e}",
        isa.name(),
        got.get(at)
    );
    println!("{line}");
    assert!(part <= 1.0, "{line}");
}
