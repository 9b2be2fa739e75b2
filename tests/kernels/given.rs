//! Weights and activations that are hard on kernels.

use half::f16;
use loupe::gguf::GgmlType;

/// Numbers that look random and are the same on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: usize) -> Self {
        Self((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }

    /// In −1…1.
    pub fn number(&mut self) -> f32 {
        let bytes = [self.byte(), self.byte(), self.byte(), 0];
        u32::from_le_bytes(bytes) as f32 / (1u32 << 23) as f32 - 1.0
    }
}

/// Kinds of weights.
#[derive(Clone, Copy, Debug)]
pub enum Weights {
    Random,
    /// The f16 scales are denormal numbers.
    Denormal,
    /// The scales are zero, some of them with a sign.
    Zero,
    /// The scales are the largest there are.
    Largest,
    /// All bits of codes and inner scales are zero: the lowest code of most formats.
    Low,
    /// All are one: the highest.
    High,
    /// All bytes are −128.
    Lowest,
    /// Bytes are by turns 127 and −128.
    Alternating,
    /// Many scales are infinite or no numbers at all.
    Damaged,
}

impl Weights {
    pub const ALL: [Self; 9] = [
        Self::Random,
        Self::Denormal,
        Self::Zero,
        Self::Largest,
        Self::Low,
        Self::High,
        Self::Lowest,
        Self::Alternating,
        Self::Damaged,
    ];

    pub fn draw(self, ggml_type: GgmlType, blocks: usize) -> Box<[u8]> {
        let mut noise = Noise::new(self as usize);
        let size = ggml_type.block_bytes();
        let mut bytes: Box<[u8]> = (0..blocks * size)
            .map(|at| match self {
                Self::Random | Self::Denormal | Self::Zero | Self::Largest | Self::Damaged => noise.byte(),
                Self::Low => 0,
                Self::High => 255,
                Self::Lowest => 128,
                Self::Alternating => [127, 128][at % 2],
            })
            .collect();
        let halves: &[usize] = match ggml_type {
            GgmlType::Q6_K => &[208],
            GgmlType::Q4_K | GgmlType::Q5_K => &[0, 2],
            _ => &[0],
        };
        for block in bytes.chunks_exact_mut(size) {
            for &half in halves {
                let sign = u16::from(noise.byte()) << 15;
                let bits = sign
                    | match self {
                        Self::Denormal => 1 + u16::from(noise.byte()) * 4,
                        Self::Zero => 0,
                        Self::Largest => f16::MAX.to_bits(),
                        Self::Damaged => u16::from_le_bytes([noise.byte(), noise.byte()]) & 0x7fff | 0x7800,
                        _ => f16::from_f32(noise.number().abs()).to_bits(),
                    };
                block[half..half + 2].copy_from_slice(&bits.to_le_bytes());
            }
        }
        bytes
    }
}

/// Kinds of activations.
#[derive(Clone, Copy, Debug)]
pub enum Activations {
    Random,
    Zero,
    /// Near the largest that no product with any weight takes beyond f32.
    Huge,
    /// Denormal numbers: nothing beside any others.
    Denormal,
    /// Small enough that their scale times a weight's is denormal.
    Tiny,
    Equal,
    /// By turns 1 and −1.
    Alternating,
    /// One large number among small ones.
    Spike,
    /// Halves between two codes.
    Ties,
    /// Groups of very different sizes.
    Mixed,
}

impl Activations {
    pub const ALL: [Self; 10] = [
        Self::Random,
        Self::Zero,
        Self::Huge,
        Self::Denormal,
        Self::Tiny,
        Self::Equal,
        Self::Alternating,
        Self::Spike,
        Self::Ties,
        Self::Mixed,
    ];

    /// `[tokens, k]`.
    pub fn draw(self, tokens: usize, k: usize) -> Vec<f32> {
        let mut noise = Noise::new(100 + self as usize);
        (0..tokens * k)
            .map(|at| match self {
                Self::Random => noise.number(),
                Self::Zero => 0.0,
                Self::Huge => noise.number() * 1e24,
                Self::Denormal => noise.number() * 1e-39,
                Self::Tiny => noise.number() * 1e-29,
                Self::Equal => -0.3,
                Self::Alternating => [1.0, -1.0][at % 2],
                Self::Spike => noise.number() * if at % 47 == 5 { 1e4 } else { 1e-3 },
                // The largest is 127, so the scale is 1.
                Self::Ties => [127.0, f32::from(noise.byte() / 2) - 63.5][usize::from(at % 32 != 0)],
                Self::Mixed => noise.number() * 10f32.powi((at / 32 * 7 % 40) as i32 - 20),
            })
            .collect()
    }
}
