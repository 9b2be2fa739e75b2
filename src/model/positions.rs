//! Positions of patches: a learned table interpolated to any grid, and 2-D sines and cosines.

/// A table of `side × side` rows of `width` resampled to `rows × columns`, as PyTorch's
/// `interpolate(mode="bicubic", align_corners=False)` does it: Keys' kernel with a = −¾, borders clamped, no antialias.
pub fn interpolate(table: &[f32], side: usize, width: usize, rows: usize, columns: usize) -> Vec<f32> {
    let (down, across) = (taps(side, rows), taps(side, columns));
    let mut out = Vec::with_capacity(rows * columns * width);
    for (ys, wy) in &down {
        for (xs, wx) in &across {
            for channel in 0..width {
                let at = |y: usize, x: usize| table[(y * side + x) * width + channel];
                let row = |y: usize| (0..4).map(|i| wx[i] * at(y, xs[i])).sum::<f32>();
                out.push((0..4).map(|i| wy[i] * row(ys[i])).sum());
            }
        }
    }
    out
}

/// For each of `n` targets, four clamped source indices and their weights.
fn taps(side: usize, n: usize) -> Vec<([usize; 4], [f32; 4])> {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let scale = side as f32 / n as f32;
    (0..n)
        .map(|i| {
            let source = (i as f32 + 0.5) * scale - 0.5;
            let first = source.floor();
            let t = source - first;
            let clamped = |k: isize| (first as isize + k).clamp(0, side as isize - 1) as usize;
            ([-1, 0, 1, 2].map(clamped), [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)])
        })
        .collect()
}

/// `rows × columns` positions spread evenly over a square of side `extent`, each `width` numbers: the column in the
/// first half, the row in the second, and in each half sines then cosines at ω_i = 10000^(−i/(width/4))
/// (MAE's `get_2d_sincos_pos_embed`).
pub fn resampler_positions(rows: usize, columns: usize, extent: usize, width: usize) -> Vec<f32> {
    let quarter = width / 4;
    let spread = |i: usize, n: usize| (i as f64 + 0.5) * extent as f64 / n as f64 - 0.5;
    let mut out = Vec::with_capacity(rows * columns * width);
    for row in 0..rows {
        for column in 0..columns {
            for at in [spread(column, columns), spread(row, rows)] {
                let angle = |i: usize| at * 10_000f64.powf(-(i as f64) / quarter as f64);
                out.extend((0..quarter).map(|i| angle(i).sin() as f32));
                out.extend((0..quarter).map(|i| angle(i).cos() as f32));
            }
            // A width that four does not divide has idle channels at the end.
            out.resize(out.len().next_multiple_of(width), 0.0);
        }
    }
    out
}
