//! Blocks re-laid as streams of words; the files below `wgsl/format` say what each holds.

use super::weights::Format;

/// The streams of whole rows of `cols` weights: codes, then scales, then high bits, as far as a format has them.
pub fn pack(format: Format, rows: &[u8], cols: usize) -> Vec<Vec<u32>> {
    match format {
        Format::F32 => vec![padded(rows, 4 * cols, 32)],
        Format::F16 => vec![padded(rows, 2 * cols, 16)],
        Format::Q8_0 => {
            let blocks = rows.as_chunks::<34>().0;
            let codes = blocks.iter().flat_map(|b| words(&b[2..])).collect();
            vec![codes, halves(blocks.iter().map(|b| [b[0], b[1]]))]
        }
        Format::Q4_0 => {
            let blocks = rows.as_chunks::<18>().0;
            let codes = blocks.iter().flat_map(|b| nibbles(codes_of_32(&b[2..]))).collect();
            vec![codes, halves(blocks.iter().map(|b| [b[0], b[1]]))]
        }
        Format::Q5_0 => {
            let blocks = rows.as_chunks::<22>().0;
            let codes = blocks.iter().flat_map(|b| nibbles(codes_of_32(&b[6..]))).collect();
            let high = blocks.iter().flat_map(|b| bits(std::array::from_fn(|i| b[2 + i / 8] >> (i % 8) & 1)));
            vec![codes, halves(blocks.iter().map(|b| [b[0], b[1]])), high.collect()]
        }
        Format::Q4_K => {
            let blocks = rows.as_chunks::<144>().0;
            let codes = blocks.iter().flat_map(|b| nibbles(codes_of_256(&b[16..]))).collect();
            vec![codes, blocks.iter().flat_map(|b| supers(&b[..16])).collect()]
        }
        Format::Q5_K => {
            let blocks = rows.as_chunks::<176>().0;
            let codes = blocks.iter().flat_map(|b| nibbles(codes_of_256(&b[48..]))).collect();
            let high = blocks.iter().flat_map(|b| {
                let fifth: [u8; 256] = std::array::from_fn(|i| b[16 + i % 32] >> (i / 32) & 1);
                fifth.as_chunks::<32>().0.iter().flat_map(|codes| bits(*codes)).collect::<Vec<_>>()
            });
            vec![codes, blocks.iter().flat_map(|b| supers(&b[..16])).collect(), high.collect()]
        }
        Format::Q6_K => {
            let blocks = rows.as_chunks::<210>().0;
            let low = |b: &[u8; 210]| std::array::from_fn(|i| b[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15);
            let codes = blocks.iter().flat_map(|b| nibbles::<256>(low(b))).collect();
            let scales = blocks.iter().flat_map(|b| {
                let d = half::f16::from_le_bytes([b[208], b[209]]).to_f32().to_bits();
                std::iter::once(d).chain(words(&b[192..208]))
            });
            let high = blocks.iter().flat_map(|b| {
                let top: [u8; 256] = std::array::from_fn(|i| b[128 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3);
                top.as_chunks::<16>().0.iter().map(|codes| pairs(*codes)).collect::<Vec<_>>()
            });
            vec![codes, scales.collect(), high.collect()]
        }
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

/// Rows of `stride` bytes, each filled up with zeros to a multiple of `to` bytes.
fn padded(rows: &[u8], stride: usize, to: usize) -> Vec<u32> {
    let mut all = Vec::with_capacity(rows.len() / 4);
    for row in rows.chunks_exact(stride) {
        let mut row = row.to_vec();
        row.resize(stride.next_multiple_of(to), 0);
        all.extend(words(&row));
    }
    all
}

/// Scales, two to a word.
fn halves(scales: impl Iterator<Item = [u8; 2]>) -> Vec<u32> {
    let mut bytes: Vec<u8> = scales.flatten().collect();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    words(&bytes).collect()
}

/// Sixteen bytes hold the first sixteen codes below, the last sixteen above.
fn codes_of_32(bytes: &[u8]) -> [u8; 32] {
    std::array::from_fn(|i| bytes[i % 16] >> (i / 16 * 4) & 15)
}

/// Each 32 bytes hold 32 codes below, the next 32 above.
fn codes_of_256(bytes: &[u8]) -> [u8; 256] {
    std::array::from_fn(|i| bytes[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15)
}

/// Eight codes of four bits to a word: the first four in the low nibbles of its bytes, the others in the high ones.
fn nibbles<const N: usize>(codes: [u8; N]) -> Vec<u32> {
    let word = |c: &[u8; 8]| u32::from_le_bytes(std::array::from_fn(|i| c[i] | c[i + 4] << 4));
    codes.as_chunks().0.iter().map(word).collect()
}

/// One bit of 32 weights in a word: bit j of byte b is weight 4j + b's.
fn bits(codes: [u8; 32]) -> Option<u32> {
    let byte = |b: usize| (0..8).fold(0, |byte, j| byte | codes[4 * j + b] << j);
    Some(u32::from_le_bytes(std::array::from_fn(byte)))
}

/// Two bits of 16 weights in a word: bits 2j of byte b are weight 4j + b's.
fn pairs(codes: [u8; 16]) -> u32 {
    let byte = |b: usize| (0..4).fold(0, |byte, j| byte | codes[4 * j + b] << (2 * j));
    u32::from_le_bytes(std::array::from_fn(byte))
}

/// d and dmin, and the eight scales and minima of six bits each as bytes: five words.
fn supers(head: &[u8]) -> impl Iterator<Item = u32> {
    let scales = &head[4..];
    let pair = |i: usize| {
        if i < 4 {
            return [scales[i] & 63, scales[i + 4] & 63];
        }
        let low = scales[i + 4];
        [low & 15 | scales[i - 4] >> 6 << 4, low >> 4 | scales[i] >> 6 << 4]
    };
    let mut bytes = head[..4].to_vec();
    bytes.extend((0..8).flat_map(pair));
    words(&bytes).collect::<Vec<_>>().into_iter()
}
