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

/// The same as PyTorch's `interpolate(mode="bilinear", align_corners=False, antialias=True)` does it: a triangle as wide as
/// the reduction.
pub fn bilinear(table: &[f32], side: usize, width: usize, rows: usize, columns: usize) -> Vec<f32> {
    let (down, across) = (triangles(side, rows), triangles(side, columns));
    // Across first, as PyTorch.
    let mut rows = vec![0.0; side * columns * width];
    for (row, out) in table.chunks_exact(side * width).zip(rows.chunks_exact_mut(columns * width)) {
        for ((first, weights), out) in across.iter().zip(out.chunks_exact_mut(width)) {
            add_up(&row[first * width..], width, weights, out);
        }
    }
    let mut out = vec![0.0; down.len() * columns * width];
    for ((first, weights), out) in down.iter().zip(out.chunks_exact_mut(columns * width)) {
        add_up(&rows[first * columns * width..], columns * width, weights, out);
    }
    out
}

/// Adds up pieces of `len` that follow each other in `from`, weighted.
fn add_up(from: &[f32], len: usize, weights: &[f32], out: &mut [f32]) {
    for (piece, weight) in from.chunks_exact(len).zip(weights) {
        out.iter_mut().zip(piece).for_each(|(out, value)| *out += value * weight);
    }
}

/// For each of `n` targets, the first source that counts and the weights from there on.
fn triangles(side: usize, n: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = side as f32 / n as f32;
    let support = scale.max(1.0);
    (0..n)
        .map(|i| {
            let centre = scale * (i as f32 + 0.5);
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(side);
            let weight = |at: usize| (1.0 - ((at as f32 - centre + 0.5) / support).abs()).max(0.0);
            let total: f32 = (first..end).map(weight).sum();
            (first, (first..end).map(|at| weight(at) / total).collect())
        })
        .collect()
}

/// The rows of the table that the patches of a grid fall into: patch i of n lies at i/n, and so in bucket ⌊side·i/n⌋.
pub fn buckets(table: &[f32], side: usize, width: usize, rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows * columns * width);
    for row in 0..rows {
        for column in 0..columns {
            let at = side * row / rows * side + side * column / columns;
            out.extend_from_slice(&table[at * width..(at + 1) * width]);
        }
    }
    out
}

/// Like [`resampler_positions`] with every patch at its own row and column.
pub fn whole_positions(rows: usize, columns: usize, width: usize) -> Vec<f32> {
    let whole = |n: usize| (0..n).map(|i| i as f64).collect::<Vec<_>>();
    sines(&whole(rows), &whole(columns), width)
}

/// `rows × columns` positions spread evenly over a square of side `extent`, each `width` numbers: the column in the
/// first half, the row in the second, and in each half sines then cosines at ω_i = 10000^(−i/(width/4))
/// (MAE's `get_2d_sincos_pos_embed`).
pub fn resampler_positions(rows: usize, columns: usize, extent: usize, width: usize) -> Vec<f32> {
    let spread = |n: usize| (0..n).map(|i| (i as f64 + 0.5) * extent as f64 / n as f64 - 0.5).collect::<Vec<_>>();
    sines(&spread(rows), &spread(columns), width)
}

/// A position for each row and column.
fn sines(rows: &[f64], columns: &[f64], width: usize) -> Vec<f32> {
    let quarter = width / 4;
    let mut out = Vec::with_capacity(rows.len() * columns.len() * width);
    for row in rows {
        for column in columns {
            for at in [column, row] {
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
