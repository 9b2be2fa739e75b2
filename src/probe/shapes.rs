//! The eight shapes: their names and outlines.

use tiny_skia::{Path, PathBuilder};

/// A shape by its name: an index into [`NAMES`].
pub type Shape = usize;

/// Chosen so that any two can be told apart at 14 pixels.
pub const NAMES: [&str; 8] = ["circle", "square", "triangle", "star", "diamond", "cross", "ring", "heart"];

/// "crosses", "stars".
pub fn plural(shape: Shape) -> String {
    let name = NAMES[shape];
    format!("{name}{}", if name.ends_with('s') { "es" } else { "s" })
}

/// Half-width and half-height of the upright shape of radius 1.
pub const EXTENTS: [(f32, f32); 8] =
    [(0.95, 0.95), (0.84, 0.84), (0.95, 0.88), (1.0, 1.0), (0.74, 1.0), (0.92, 0.92), (0.97, 0.97), (0.96, 0.92)];

const TRIANGLE: [(f32, f32); 3] = [(0.0, -0.88), (0.95, 0.84), (-0.95, 0.84)];
const DIAMOND: [(f32, f32); 4] = [(0.0, -1.0), (0.74, 0.0), (0.0, 1.0), (-0.74, 0.0)];
/// Five tips at radius 1, five notches at radius 0.44.
const STAR: [(f32, f32); 10] = [
    (0.0, -1.0),
    (0.2586, -0.356),
    (0.9511, -0.309),
    (0.4185, 0.136),
    (0.5878, 0.809),
    (0.0, 0.44),
    (-0.5878, 0.809),
    (-0.4185, 0.136),
    (-0.9511, -0.309),
    (-0.2586, -0.356),
];
const CROSS: [(f32, f32); 12] = [
    (-0.3, -0.92),
    (0.3, -0.92),
    (0.3, -0.3),
    (0.92, -0.3),
    (0.92, 0.3),
    (0.3, 0.3),
    (0.3, 0.92),
    (-0.3, 0.92),
    (-0.3, 0.3),
    (-0.92, 0.3),
    (-0.92, -0.3),
    (-0.3, -0.3),
];

/// The outline of radius 1 about the origin, y down. Filled even-odd, so that the ring keeps its hole.
pub fn outline(shape: Shape) -> Option<Path> {
    let mut path = PathBuilder::new();
    match shape {
        0 => path.push_circle(0.0, 0.0, 0.95),
        1 => polygon(&mut path, &[(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)]),
        2 => polygon(&mut path, &TRIANGLE),
        3 => polygon(&mut path, &STAR),
        4 => polygon(&mut path, &DIAMOND),
        5 => polygon(&mut path, &CROSS),
        6 => {
            path.push_circle(0.0, 0.0, 0.97);
            path.push_circle(0.0, 0.0, 0.54);
        }
        _ => {
            path.move_to(0.0, 0.92);
            path.cubic_to(-0.35, 0.6, -0.96, 0.2, -0.96, -0.32);
            path.cubic_to(-0.96, -1.02, -0.15, -1.08, 0.0, -0.45);
            path.cubic_to(0.15, -1.08, 0.96, -1.02, 0.96, -0.32);
            path.cubic_to(0.96, 0.2, 0.35, 0.6, 0.0, 0.92);
            path.close();
        }
    }
    path.finish()
}

fn polygon(path: &mut PathBuilder, points: &[(f32, f32)]) {
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    path.close();
}
