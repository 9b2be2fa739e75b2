//! Which tensor becomes what: the names that people know from llama.cpp's `llama-quantize`.

use crate::gguf::{GgmlType, TensorInfo};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What it is called.
    pub name: &'static str,
    /// `general.file_type`, ggml's number for it.
    pub file_type: u32,
    /// What matrices become.
    pub main: GgmlType,
    /// What those become on which more depends: the output layer, values, and what leads out of the feed-forward network.
    pub fine: GgmlType,
    /// What the width of feed-forward networks is rounded up to: see [`Widening`](super::Widening).
    pub multiple: usize,
}

const fn scheme(name: &'static str, file_type: u32, main: GgmlType, fine: GgmlType, multiple: usize) -> Scheme {
    Scheme { name, file_type, main, fine, multiple }
}

/// All of them.
pub const SCHEMES: [Scheme; 9] = [
    scheme("f32", 0, GgmlType::F32, GgmlType::F32, 1),
    scheme("f16", 1, GgmlType::F16, GgmlType::F16, 1),
    scheme("q8_0", 7, GgmlType::Q8_0, GgmlType::Q8_0, 32),
    scheme("q6_k", 18, GgmlType::Q6_K, GgmlType::Q6_K, 256),
    scheme("q5_k_m", 17, GgmlType::Q5_K, GgmlType::Q6_K, 256),
    scheme("q5_0", 8, GgmlType::Q5_0, GgmlType::Q6_K, 32),
    scheme("q4_k_m", 15, GgmlType::Q4_K, GgmlType::Q6_K, 256),
    scheme("q4_k_s", 14, GgmlType::Q4_K, GgmlType::Q4_K, 256),
    scheme("q4_0", 2, GgmlType::Q4_0, GgmlType::Q6_K, 32),
];

/// Tensors that are matrices by their shape alone: tables, kernels of convolutions, learned queries, routing.
const NO_MATRICES: [&str; 9] = [
    "norm",
    "position_embd",
    "pos_embed",
    "patch_embd",
    "class_embd",
    "ssm_conv1d",
    "shortconv.conv",
    "rope_freqs",
    "rope_factors",
];

impl Scheme {
    /// The one of that name, in small or capital letters.
    pub fn named(name: &str) -> Option<Self> {
        SCHEMES.into_iter().find(|scheme| scheme.name.eq_ignore_ascii_case(name))
    }

    /// What a tensor becomes in a model of so many layers; `None` when it stays what it is. `tied` tells whether the
    /// embedding table is the output layer too.
    pub fn of(&self, tensor: &TensorInfo, layers: usize, tied: bool) -> Option<GgmlType> {
        let name = tensor.name.as_str();
        let matrix = tensor.shape.len() == 2 && name.ends_with(".weight");
        if !matrix || NO_MATRICES.iter().any(|part| name.contains(part)) {
            return None;
        }
        let output = name == "output.weight" || tied && name == "token_embd.weight";
        let fine = output || self.name.ends_with("_m") && is_delicate(name) && is_chosen(layer(name)?, layers);
        Some(fitting(if fine { self.fine } else { self.main }, tensor.shape[1]))
    }
}

fn is_delicate(name: &str) -> bool {
    name.starts_with("blk.") && (name.contains("attn_v") || name.contains("attn_qkv") || name.contains("ffn_down"))
}

fn layer(name: &str) -> Option<usize> {
    name.split('.').nth(1)?.parse().ok()
}

/// llama.cpp's `use_more_bits`: the first and last eighth of the layers, and every third between.
fn is_chosen(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// The type itself where rows of so many columns are whole blocks of it, else the nearest that fits and is no worse.
fn fitting(wanted: GgmlType, columns: usize) -> GgmlType {
    let fits = |ggml_type: &GgmlType| columns.is_multiple_of(ggml_type.block_len());
    let next = match wanted {
        GgmlType::Q4_K => GgmlType::Q5_0,
        GgmlType::Q5_K | GgmlType::Q6_K => GgmlType::Q8_0,
        other => other,
    };
    [wanted, next].into_iter().find(fits).unwrap_or(GgmlType::F16)
}
