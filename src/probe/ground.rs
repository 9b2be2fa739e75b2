//! Paints backgrounds: plain, graded, or with the smooth unrest of a photograph.

use super::colours::Rgb8;
use super::rng::Rng;
use super::scene::{Background, Ground};
use crate::image::{Rgb, Size};

/// A picture of the background alone.
pub fn paint(size: Size, background: &Background) -> Rgb {
    let mut picture = Rgb::filled(size, background.from);
    let (width, height) = (size.width as usize, size.height as usize);
    let shades: Vec<Rgb8> = (0..256).map(|i| between(background.from, background.to, i)).collect();
    match background.style {
        Ground::Plain => {}
        Ground::Gradient { vertical } => {
            for (i, pixel) in picture.pixels.chunks_exact_mut(3).enumerate() {
                let (x, y) = (i % width, i / width);
                let level = if vertical { y * 255 / (height - 1).max(1) } else { x * 255 / (width - 1).max(1) };
                pixel.copy_from_slice(&shades[level]);
            }
        }
        Ground::Texture { seed } => {
            for (pixel, level) in picture.pixels.chunks_exact_mut(3).zip(texture(width, height, seed)) {
                pixel.copy_from_slice(&shades[usize::from(level)]);
            }
        }
    }
    picture
}

fn between(a: Rgb8, b: Rgb8, level: i32) -> Rgb8 {
    [0, 1, 2].map(|i| ((i32::from(a[i]) * (255 - level) + i32::from(b[i]) * level + 127) / 255) as u8)
}

/// Smooth noise `[height, width]`: lattices of 3, 6, 12 and 24 points along the longer side, each half as strong as the
/// coarser one before it, which is about how the power of photographs falls with frequency.
fn texture(width: usize, height: usize, seed: u64) -> Vec<u8> {
    let mut sum = vec![0.0f32; width * height];
    for octave in 0..4 {
        let cells = 3usize << octave;
        let step = width.max(height) as f32 / cells as f32;
        let columns = cells + 2;
        let mut rng = Rng::new(seed, 40 + octave as u64);
        let lattice: Vec<f32> = (0..columns * columns).map(|_| rng.unit()).collect();
        let weight = [0.53, 0.27, 0.13, 0.07][octave];
        let across: Vec<(usize, f32)> = (0..width).map(|x| ease(x as f32 / step)).collect();
        for (y, row) in sum.chunks_exact_mut(width).enumerate() {
            let (j, v) = ease(y as f32 / step);
            let (upper, lower) = (&lattice[j * columns..], &lattice[(j + 1) * columns..]);
            for (value, &(i, u)) in row.iter_mut().zip(&across) {
                let top = upper[i] + (upper[i + 1] - upper[i]) * u;
                let bottom = lower[i] + (lower[i + 1] - lower[i]) * u;
                *value += weight * (top + (bottom - top) * v);
            }
        }
    }
    // The sum gathers around ½; twice the contrast uses the range.
    sum.iter().map(|v| ((v - 0.5) * 2.0 + 0.5).clamp(0.0, 1.0)).map(|v| (v * 255.0) as u8).collect()
}

/// The lattice point before `x` and the eased way to the next.
fn ease(x: f32) -> (usize, f32) {
    let i = x as usize;
    let t = x - i as f32;
    (i, t * t * (3.0 - 2.0 * t))
}
