//! Numbers to blocks. Reading them is ours ([`dequantise`](crate::exec::cpu::blocks::dequantise)); writing them is done
//! once for a file and not in a hurry, so it is candle's, which follows ggml's own `quantize_row_*_ref`.

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use half::{bf16, f16};

use crate::{
    error::{Error, Result},
    gguf::GgmlType,
};

/// Whole rows as blocks of a type.
///
/// # Errors
/// An internal error when rows are no whole number of blocks.
pub fn quantise(numbers: &[f32], columns: usize, to: GgmlType) -> Result<Vec<u8>> {
    let dtype = match to {
        GgmlType::F32 => return Ok(numbers.iter().flat_map(|x| x.to_le_bytes()).collect()),
        GgmlType::F16 => return Ok(numbers.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()),
        GgmlType::BF16 => return Ok(numbers.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect()),
        GgmlType::Q4_0 => GgmlDType::Q4_0,
        GgmlType::Q4_1 => GgmlDType::Q4_1,
        GgmlType::Q5_0 => GgmlDType::Q5_0,
        GgmlType::Q5_1 => GgmlDType::Q5_1,
        GgmlType::Q8_0 => GgmlDType::Q8_0,
        GgmlType::Q2_K => GgmlDType::Q2K,
        GgmlType::Q3_K => GgmlDType::Q3K,
        GgmlType::Q4_K => GgmlDType::Q4K,
        GgmlType::Q5_K => GgmlDType::Q5K,
        GgmlType::Q6_K => GgmlDType::Q6K,
    };
    let blocks = || {
        let rows = Tensor::from_slice(numbers, (numbers.len() / columns, columns), &Device::Cpu)?;
        Ok(QTensor::quantize(&rows, dtype)?.data()?.into_owned())
    };
    blocks().map_err(|why: candle_core::Error| {
        Error::internal("A tensor could not be quantised; report this.").because(why.to_string())
    })
}
