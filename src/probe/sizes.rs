//! The sizes that pictures have.
//!
//! Training batches pictures of one layout, so its sizes are multiples of a few aspects; tests draw sizes freely.

use super::rng::Rng;
use crate::image::slice::Uhd;

/// How many slices a picture gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    None,
    Few,
    Full,
}

impl Cut {
    /// What the area of a picture asks for. (Three slices' worth of a square become four: the slicer looks one further.)
    fn of(width: u32, height: u32, slicing: &Uhd) -> Self {
        match (width * height).div_ceil(slicing.area_side * slicing.area_side) {
            0..=1 => Self::None,
            2..=3 => Self::Few,
            _ => Self::Full,
        }
    }
}

/// `(columns, rows, weight uncut, weight of few slices, weight of all)`.
const ASPECTS: [(u32, u32, [f32; 3]); 15] = [
    (1, 1, [22.0, 10.0, 22.0]),
    (4, 3, [14.0, 16.0, 24.0]),
    (3, 4, [9.0, 10.0, 10.0]),
    (3, 2, [10.0, 18.0, 16.0]),
    (2, 3, [7.0, 10.0, 8.0]),
    (16, 9, [9.0, 8.0, 14.0]),
    (9, 16, [6.0, 5.0, 7.0]),
    (2, 1, [6.0, 12.0, 5.0]),
    (1, 2, [4.0, 7.0, 3.0]),
    (3, 1, [4.0, 5.0, 3.0]),
    (1, 3, [2.5, 3.0, 2.0]),
    (5, 1, [2.0, 0.0, 0.0]),
    (1, 5, [1.0, 0.0, 0.0]),
    (8, 1, [2.0, 0.0, 1.5]),
    (1, 8, [1.0, 0.0, 0.5]),
];

/// Shares of uncut pictures, of few slices, of all slices.
const CUTS: [f32; 3] = [0.55, 0.15, 0.30];

/// The width and height of a training picture.
pub fn training(rng: &mut Rng, slicing: &Uhd) -> (u32, u32) {
    let wanted = [Cut::None, Cut::Few, Cut::Full][rng.weighted(&CUTS)];
    loop {
        let (a, b, _) = ASPECTS[rng.weighted(&ASPECTS.map(|(_, _, weights)| weights[wanted as usize]))];
        let side = side(rng, wanted, slicing);
        // Multiples of 12 divide by every grid, so one aspect gives one layout however large the picture is.
        let step = if wanted == Cut::None { 1 } else { 12 };
        let k = ((side / ((a * b) as f32).sqrt()) as u32 / step).max(1) * step;
        let k = if wanted == Cut::Few && a * b > 100 { 12 } else { k };
        if Cut::of(a * k, b * k, slicing) == wanted && a.max(b) * k <= 2048 {
            return (a * k, b * k);
        }
    }
}

/// The width and height of a test picture: any, 32…2048, aspect up to 8.
pub fn free(rng: &mut Rng, slicing: &Uhd) -> (u32, u32) {
    let wanted = [Cut::None, Cut::Few, Cut::Full][rng.weighted(&CUTS)];
    loop {
        // 2^±1.5 stretches the sides to an aspect of 8; most pictures stay within 2.
        let reach = if rng.chance(0.8) { 1.0 } else { 3.0 };
        let aspect = power_of_two(rng.range(-reach, reach));
        let side = side(rng, wanted, slicing);
        let (width, height) = ((side * aspect.sqrt()).round() as u32, (side / aspect.sqrt()).round() as u32);
        let (width, height) = (width.clamp(32, 2048), height.clamp(32, 2048));
        if Cut::of(width, height, slicing) == wanted {
            return (width, height);
        }
    }
}

/// The root of the area, in pixels. Large pictures are mostly drawn at one to two times what the views keep: what is
/// lost in the resize anyway costs only time.
fn side(rng: &mut Rng, cut: Cut, slicing: &Uhd) -> f32 {
    let unit = slicing.area_side as f32;
    match cut {
        Cut::None if rng.chance(0.15) => rng.range(0.3, 0.7) * unit,
        Cut::None => rng.range(0.7, 1.0) * unit,
        Cut::Few => rng.range(1.01, 1.74) * unit,
        Cut::Full => match rng.weighted(&[0.7, 0.25, 0.035, 0.015]) {
            0 => rng.range(1.75, 2.6) * unit,
            1 => rng.range(2.6, 4.0) * unit,
            2 => rng.range(4.0, 7.0) * unit,
            _ => rng.range(7.0, 14.0) * unit,
        },
    }
}

/// 2^x by halving and a short series: the same on every machine, and near enough.
fn power_of_two(x: f32) -> f32 {
    let whole = x.floor();
    let t = (x - whole) * std::f32::consts::LN_2;
    let series = 1.0 + t * (1.0 + t / 2.0 * (1.0 + t / 3.0 * (1.0 + t / 4.0 * (1.0 + t / 5.0))));
    if whole >= 0.0 { series * (1 << whole as u32) as f32 } else { series / (1 << (-whole) as u32) as f32 }
}
