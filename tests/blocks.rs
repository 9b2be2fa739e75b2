//! What blocks mean, against candle's own reading of them.

#![allow(clippy::unwrap_used)]

use candle_core::{
    Device,
    quantized::{GgmlDType, QStorage, QTensor},
};
use loupe::{exec::cpu::blocks::dequantise, gguf::GgmlType};

const TYPES: [(GgmlType, GgmlDType); 13] = [
    (GgmlType::F32, GgmlDType::F32),
    (GgmlType::F16, GgmlDType::F16),
    (GgmlType::BF16, GgmlDType::BF16),
    (GgmlType::Q4_0, GgmlDType::Q4_0),
    (GgmlType::Q4_1, GgmlDType::Q4_1),
    (GgmlType::Q5_0, GgmlDType::Q5_0),
    (GgmlType::Q5_1, GgmlDType::Q5_1),
    (GgmlType::Q8_0, GgmlDType::Q8_0),
    (GgmlType::Q2_K, GgmlDType::Q2K),
    (GgmlType::Q3_K, GgmlDType::Q3K),
    (GgmlType::Q4_K, GgmlDType::Q4K),
    (GgmlType::Q5_K, GgmlDType::Q5K),
    (GgmlType::Q6_K, GgmlDType::Q6K),
];

/// Scales are exact products of eleven and eight bits, codes have six: both sides round once, at the same place, and so
/// are equal to the bit. Random bytes hold every code, and scales that are denormal, infinite and not numbers at all.
#[test]
fn dequantising_equals_candle_bit_for_bit() {
    for (at, (ours, theirs)) in TYPES.into_iter().enumerate() {
        let blocks = 512;
        let bytes = noise(at as u64, blocks * ours.block_bytes());
        let mut got = vec![f32::NAN; blocks * ours.block_len()];
        dequantise(ours, &bytes, &mut got);
        let storage = QStorage::from_data(bytes.into(), &Device::Cpu, theirs).unwrap();
        let tensor = QTensor::new(storage, (blocks, ours.block_len())).unwrap();
        let want: Vec<f32> = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(got.len(), want.len());
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!(got == want || got.is_nan() && want.is_nan(), "{ours:?}, number {i}: {got}, should be {want}");
        }
    }
}

/// Bytes that look random and are the same on every machine.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}
