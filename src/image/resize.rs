//! Resizing that equals Pillow's byte for byte, because models are trained on Pillow's pixels.
//!
//! Two passes of 8-bit dot products with 22-bit fixed-point weights; the picture between the passes is rounded to
//! 8 bits again. Source: Pillow 13.0.0, `src/libImaging/Resample.c`.

use super::{Rgb, Size};

/// The curve that weighs source pixels by their distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A triangle one source pixel to each side.
    Bilinear,
    /// Keys' cubic with a = −½ (not the −¾ of torch and OpenCV).
    Bicubic,
    /// sinc windowed by its own first lobe, three source pixels to each side.
    Lanczos,
}

/// Which side shrinks first; the rounding between the passes makes the results differ by a level or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PassOrder {
    /// Pillow ≥ 13: rows first when the height loses more than twice as many pixels as the width, else columns.
    #[default]
    BySize,
    /// Pillow ≤ 12 and llama.cpp: columns first, always.
    HorizontalFirst,
}

/// The picture at another size. Never fails; a side of 0 on either end gives black.
pub fn resize(source: &Rgb, size: Size, filter: Filter, order: PassOrder) -> Rgb {
    if source.size() == size {
        return source.clone();
    }
    if source.size().area() == 0 || size.area() == 0 {
        return Rgb::filled(size, [0; 3]);
    }
    let horizontal = |image: &Rgb| resize_rows(image, size.width, filter);
    let vertical = |image: &Rgb| resize_columns(image, size.height, filter);
    if order == PassOrder::BySize && loses_more_height(source.size(), size) {
        horizontal(&vertical(source))
    } else {
        vertical(&horizontal(source))
    }
}

fn loses_more_height(from: Size, to: Size) -> bool {
    let width = i64::from(from.width) - i64::from(to.width);
    let height = i64::from(from.height) - i64::from(to.height);
    height > 0 && height > 2 * width
}

/// Fractional bits of a weight. The weights of a pixel add up to 1 and their sizes to at most 1.6 (Lanczos at a border),
/// so 255 · 1.6 · 2²² stays below 2³¹.
const PRECISION: u32 = 22;
const HALF: i32 = 1 << (PRECISION - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Every row to `width` columns.
fn resize_rows(source: &Rgb, width: u32, filter: Filter) -> Rgb {
    if source.width == width {
        return source.clone();
    }
    let taps = Taps::new(source.width, width, filter);
    let mut pixels = Vec::with_capacity(width as usize * source.height as usize * 3);
    for row in source.pixels.chunks_exact(source.width as usize * 3) {
        for (first, weights) in taps.iter() {
            let mut sum = [HALF; 3];
            for (pixel, &weight) in row[first * 3..].chunks_exact(3).zip(weights) {
                for (sum, &value) in sum.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            pixels.extend(sum.map(to_byte));
        }
    }
    Rgb { width, height: source.height, pixels }
}

/// Every column to `height` rows: whole rows are added up, which the compiler turns into SIMD.
fn resize_columns(source: &Rgb, height: u32, filter: Filter) -> Rgb {
    if source.height == height {
        return source.clone();
    }
    let taps = Taps::new(source.height, height, filter);
    let stride = source.width as usize * 3;
    let mut sums = vec![HALF; stride];
    let mut pixels = Vec::with_capacity(stride * height as usize);
    for (first, weights) in taps.iter() {
        sums.fill(HALF);
        for (row, &weight) in source.pixels[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        pixels.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    Rgb { width: source.width, height, pixels }
}

/// For each output position of one axis: the first source position that counts, and the weights from there on.
struct Taps {
    /// (first source position, end of its weights in `weights`).
    spans: Vec<(usize, usize)>,
    weights: Vec<i32>,
}

impl Taps {
    /// `from` and `to` are positive.
    fn new(from: u32, to: u32, filter: Filter) -> Self {
        let scale = f64::from(from) / f64::from(to);
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let mut taps = Self { spans: Vec::with_capacity(to as usize), weights: Vec::new() };
        let mut curve = Vec::new();
        for position in 0..to {
            let centre = (f64::from(position) + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as u32;
            let end = ((centre + support + 0.5) as u32).min(from);
            curve.clear();
            curve.extend((first..end).map(|i| filter.at((f64::from(i) - centre + 0.5) * (1.0 / stretch))));
            let total: f64 = curve.iter().sum();
            let divisor = if total == 0.0 { 1.0 } else { total };
            taps.weights.extend(curve.iter().map(|&weight| fixed(weight / divisor)));
            taps.spans.push((first as usize, taps.weights.len()));
        }
        taps
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans.iter().scan(0, |start, &(first, end)| {
            let weights = &self.weights[*start..end];
            *start = end;
            Some((first, weights))
        })
    }
}

/// Nearest fixed-point number, halves away from zero.
fn fixed(weight: f64) -> i32 {
    (weight * f64::from(1 << PRECISION) + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
}

impl Filter {
    /// Source pixels to each side that count when nothing shrinks.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight at distance `x`, in Pillow's order of operations.
    fn at(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let distance = x.abs();
        match self {
            Self::Bilinear if distance < 1.0 => 1.0 - distance,
            Self::Bicubic if distance < 1.0 => ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0,
            Self::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let angle = x * std::f64::consts::PI;
    angle.sin() / angle
}
