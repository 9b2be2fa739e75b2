//! What pictures suffer on their way: sensor noise, soft focus, compression.

use super::rng::Rng;
use super::scene::Wear;
use crate::image::Rgb;

/// Applies blur, then noise, then compression, as a camera does.
pub fn wear(picture: &mut Rgb, wear: &Wear) {
    for _ in 0..wear.blur {
        blur(picture);
    }
    if wear.noise > 0 {
        noise(picture, wear.noise, wear.seed);
    }
    if wear.jpeg > 0.0 {
        compress(picture, wear.jpeg);
    }
}

/// Uniform noise of ±`reach` levels: half of it shared by the channels of a pixel, half each channel's own.
fn noise(picture: &mut Rgb, reach: i32, seed: u64) {
    let mut rng = Rng::new(seed, 50);
    let span = (2 * reach + 1) as u64;
    for pixel in picture.pixels.chunks_exact_mut(3) {
        let bits = rng.bits();
        let draw = |shift: u64| (((bits >> shift & 0xFFFF) * span) >> 16) as i32 - reach;
        let shared = draw(0);
        for (value, shift) in pixel.iter_mut().zip([16, 32, 48]) {
            *value = (i32::from(*value) + (shared + draw(shift)) / 2).clamp(0, 255) as u8;
        }
    }
}

/// Weights 1, 2, 1 along rows, then along columns; the outermost pixels stay.
fn blur(picture: &mut Rgb) {
    let (stride, height) = (picture.width as usize * 3, picture.height as usize);
    let mix = |a: u8, b: u8, c: u8| ((u32::from(a) + 2 * u32::from(b) + u32::from(c) + 2) / 4) as u8;
    let source = picture.pixels.clone();
    for (row, from) in picture.pixels.chunks_exact_mut(stride).zip(source.chunks_exact(stride)) {
        for i in 3..stride.saturating_sub(3) {
            row[i] = mix(from[i - 3], from[i], from[i + 3]);
        }
    }
    let source = picture.pixels.clone();
    for y in 1..height.saturating_sub(1) {
        for i in y * stride..(y + 1) * stride {
            picture.pixels[i] = mix(source[i - stride], source[i], source[i + stride]);
        }
    }
}

/// cos(kπ/16) for k of 0..=8: a table, because cosines differ between machines in the last bit.
const COS: [f32; 9] =
    [1.0, 0.980_785_3, 0.923_879_5, 0.831_469_6, 0.707_106_77, 0.555_570_24, 0.382_683_43, 0.195_090_32, 0.0];

/// The orthonormal DCT-II of eight points, `[frequency][point]`.
fn basis() -> [[f32; 8]; 8] {
    std::array::from_fn(|frequency| {
        std::array::from_fn(|point| {
            let k = (2 * point + 1) * frequency % 32;
            let k = if k > 16 { 32 - k } else { k };
            let cos = if k > 8 { -COS[16 - k] } else { COS[k] };
            cos * if frequency == 0 { 0.353_553_38 } else { 0.5 }
        })
    })
}

/// Rounds the DCT of each 8 × 8 block of luma and chroma, the higher frequencies and the chroma more coarsely, which
/// is what JPEG does to a picture. What does not fill a block stays.
#[allow(clippy::needless_range_loop)] // x, y, u and v are the formula's own.
fn compress(picture: &mut Rgb, step: f32) {
    let basis = basis();
    let width = picture.width as usize;
    for top in (0..(picture.height as usize & !7)).step_by(8) {
        for left in (0..(width & !7)).step_by(8) {
            let mut block = [[[0.0f32; 8]; 8]; 3];
            for y in 0..8 {
                for x in 0..8 {
                    let at = ((top + y) * width + left + x) * 3;
                    let [r, g, b] = [0, 1, 2].map(|i| f32::from(picture.pixels[at + i]));
                    let luma = 0.299 * r + 0.587 * g + 0.114 * b;
                    block[0][y][x] = luma - 128.0;
                    block[1][y][x] = (b - luma) * 0.564;
                    block[2][y][x] = (r - luma) * 0.713;
                }
            }
            for (plane, coarser) in block.iter_mut().zip([1.0, 1.8, 1.8]) {
                quantise(plane, &basis, step * coarser);
            }
            for y in 0..8 {
                for x in 0..8 {
                    let at = ((top + y) * width + left + x) * 3;
                    let [luma, blue, red] = [block[0][y][x] + 128.0, block[1][y][x], block[2][y][x]];
                    let rgb = [luma + 1.403 * red, luma - 0.714 * red - 0.344 * blue, luma + 1.773 * blue];
                    for (i, value) in rgb.iter().enumerate() {
                        picture.pixels[at + i] = (value + 0.5).clamp(0.0, 255.0) as u8;
                    }
                }
            }
        }
    }
}

#[allow(clippy::needless_range_loop)] // See `compress`.
fn quantise(block: &mut [[f32; 8]; 8], basis: &[[f32; 8]; 8], step: f32) {
    // Rows, then columns, to frequencies; rounded; and back.
    let mut rows = [[0.0f32; 8]; 8];
    for (out, line) in rows.iter_mut().zip(block.iter()) {
        for (value, wave) in out.iter_mut().zip(basis) {
            *value = wave.iter().zip(line).map(|(a, b)| a * b).sum();
        }
    }
    let mut rounded = [[0.0f32; 8]; 8];
    for v in 0..8 {
        for u in 0..8 {
            let value: f32 = (0..8).map(|y| basis[v][y] * rows[y][u]).sum();
            let grain = step * (1.0 + 0.35 * (u + v) as f32);
            rounded[v][u] = (value / grain).round() * grain;
        }
    }
    for y in 0..8 {
        let column: [f32; 8] = std::array::from_fn(|u| (0..8).map(|v| basis[v][y] * rounded[v][u]).sum());
        for x in 0..8 {
            block[y][x] = (0..8).map(|u| basis[u][x] * column[u]).sum();
        }
    }
}
