//! Attention inside windows of a few neighbouring rows: so few products that plain Rust serves.

use super::Shape;
use crate::graph::Mask;

/// Writes y, `[n, heads·dim]`, for n rows of whole windows; q is like y, k and v are `[n, kv_heads·dim]`.
pub fn attend(shape: &Shape, [q, k, v]: [&[f32]; 3], y: &mut [f32]) {
    let Shape { heads, kv_heads, dim, scale, mask: Mask::Windows(each), .. } = *shape else { return };
    let kv_wide = kv_heads * dim;
    let mut weights = vec![0.0; each];
    for (at, (q, y)) in q.chunks_exact(dim).zip(y.chunks_exact_mut(dim)).enumerate() {
        let (row, head) = (at / heads, at % heads * kv_heads / heads);
        let start = row / each * each * kv_wide + head * dim;
        let lies = |key: usize| start + key * kv_wide..start + key * kv_wide + dim;
        for (key, weight) in weights.iter_mut().enumerate() {
            *weight = q.iter().zip(&k[lies(key)]).map(|(q, k)| q * k).sum::<f32>() * scale;
        }
        let most = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        weights.iter_mut().for_each(|weight| *weight = (*weight - most).exp());
        let total: f32 = weights.iter().sum();
        y.fill(0.0);
        for (key, weight) in weights.iter().enumerate() {
            for (y, v) in y.iter_mut().zip(&v[lies(key)]) {
                *y += v * (weight / total);
            }
        }
    }
}
