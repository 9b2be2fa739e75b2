//! GGML element types and the size of their blocks (ggml `ggml-common.h`).

/// How the numbers of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, non_camel_case_types, reason = "the names are those of the file format")]
pub enum GgmlType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
}

impl GgmlType {
    /// Every type, with the number that stands for it in a file.
    const CODES: [(u32, Self); 13] = [
        (0, Self::F32),
        (1, Self::F16),
        (2, Self::Q4_0),
        (3, Self::Q4_1),
        (6, Self::Q5_0),
        (7, Self::Q5_1),
        (8, Self::Q8_0),
        (10, Self::Q2_K),
        (11, Self::Q3_K),
        (12, Self::Q4_K),
        (13, Self::Q5_K),
        (14, Self::Q6_K),
        (30, Self::BF16),
    ];

    /// The type with this number in a file, if it is one Loupe reads.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|&(_, ggml_type)| ggml_type)
    }

    /// The number that stands for it in a file.
    pub fn code(self) -> u32 {
        Self::CODES.iter().find(|(_, known)| *known == self).map_or(0, |&(code, _)| code)
    }

    /// Bytes of so many elements, a multiple of [`Self::block_len`].
    pub fn bytes_of(self, elements: usize) -> usize {
        elements / self.block_len() * self.block_bytes()
    }

    /// Elements in a block; rows are whole numbers of blocks.
    pub fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K => 256,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
        }
    }
}
