//! What blocks mean: every type of [`GgmlType`], one number at a time, after ggml's `dequantize_row_*`. The kernels must
//! equal this; it also serves the few numbers and the rare types that no kernel is worth writing for.

use half::{bf16, f16};

use crate::gguf::GgmlType;

/// The numbers of whole blocks, in order: `bytes` as [`GgmlType::block_bytes`] says, `out` as [`GgmlType::block_len`].
pub fn dequantise(ggml_type: GgmlType, bytes: &[u8], out: &mut [f32]) {
    match ggml_type {
        GgmlType::F32 => each::<4, 1>(bytes, out, |b, _| f32::from_le_bytes(*b)),
        GgmlType::F16 => each::<2, 1>(bytes, out, |b, _| f16::from_le_bytes(*b).to_f32()),
        GgmlType::BF16 => each::<2, 1>(bytes, out, |b, _| bf16::from_le_bytes(*b).to_f32()),
        GgmlType::Q4_0 => each::<18, 32>(bytes, out, |b, i| half(b, 0) * f32::from(nibble(&b[2..], i) as i8 - 8)),
        GgmlType::Q4_1 => each::<20, 32>(bytes, out, |b, i| half(b, 0) * f32::from(nibble(&b[4..], i)) + half(b, 2)),
        GgmlType::Q5_0 => each::<22, 32>(bytes, out, |b, i| {
            half(b, 0) * f32::from((nibble(&b[6..], i) | bit(&b[2..], i) << 4) as i8 - 16)
        }),
        GgmlType::Q5_1 => each::<24, 32>(bytes, out, |b, i| {
            half(b, 0) * f32::from(nibble(&b[8..], i) | bit(&b[4..], i) << 4) + half(b, 2)
        }),
        GgmlType::Q8_0 => each::<34, 32>(bytes, out, |b, i| half(b, 0) * f32::from(b[2 + i] as i8)),
        GgmlType::Q2_K => each::<84, 256>(bytes, out, |b, i| {
            let scale = b[i / 16];
            let code = pair(&b[16..], i);
            half(b, 80) * f32::from(scale & 15) * f32::from(code) - half(b, 82) * f32::from(scale >> 4)
        }),
        GgmlType::Q3_K => each::<110, 256>(bytes, out, |b, i| {
            let high = b[i % 32] >> (i / 32) & 1;
            let code = (pair(&b[32..], i) | high << 2) as i8 - 4;
            half(b, 108) * f32::from(scale_q3_k(&b[96..], i / 16)) * f32::from(code)
        }),
        GgmlType::Q4_K => each::<144, 256>(bytes, out, |b, i| {
            let [scale, minimum] = scale_q4_k(&b[4..], i / 32);
            let code = nibble_k(&b[16..], i);
            half(b, 0) * f32::from(scale) * f32::from(code) - half(b, 2) * f32::from(minimum)
        }),
        GgmlType::Q5_K => each::<176, 256>(bytes, out, |b, i| {
            let [scale, minimum] = scale_q4_k(&b[4..], i / 32);
            let high = b[16 + i % 32] >> (i / 32) & 1;
            let code = nibble_k(&b[48..], i) | high << 4;
            half(b, 0) * f32::from(scale) * f32::from(code) - half(b, 2) * f32::from(minimum)
        }),
        GgmlType::Q6_K => each::<210, 256>(bytes, out, |b, i| {
            let low = b[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
            let code = (low | pair(&b[128..], i) << 4) as i8 - 32;
            half(b, 208) * f32::from(b[192 + i / 16] as i8) * f32::from(code)
        }),
    }
}

/// Every number of every block of `SIZE` bytes and `LEN` numbers.
fn each<const SIZE: usize, const LEN: usize>(bytes: &[u8], out: &mut [f32], at: impl Fn(&[u8; SIZE], usize) -> f32) {
    for (block, out) in bytes.as_chunks::<SIZE>().0.iter().zip(out.as_chunks_mut::<LEN>().0) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = at(block, i);
        }
    }
}

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Code i of 32: sixteen bytes hold the first sixteen codes below, the last sixteen above.
fn nibble(codes: &[u8], i: usize) -> u8 {
    codes[i % 16] >> (i / 16 * 4) & 15
}

fn bit(bits: &[u8], i: usize) -> u8 {
    bits[i / 8] >> (i % 8) & 1
}

/// Code i of 256: each 32 bytes hold 32 codes below, the next 32 above.
fn nibble_k(codes: &[u8], i: usize) -> u8 {
    codes[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15
}

/// Two bits of 256: each 32 bytes hold four times 32, from below.
fn pair(codes: &[u8], i: usize) -> u8 {
    codes[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3
}

/// Scale i of 16: four low bits in the first eight bytes, two high ones in the last four.
fn scale_q3_k(scales: &[u8], i: usize) -> i8 {
    let low = scales[i % 8] >> (i / 8 * 4) & 15;
    let high = scales[8 + i % 4] >> (i / 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

/// Scale and minimum i of 8, of six bits each: the first four whole, the high two bits of the others above those.
fn scale_q4_k(scales: &[u8], i: usize) -> [u8; 2] {
    if i < 4 {
        return [scales[i] & 63, scales[i + 4] & 63];
    }
    let low = scales[i + 4];
    [low & 15 | scales[i - 4] >> 6 << 4, low >> 4 | scales[i] >> 6 << 4]
}
