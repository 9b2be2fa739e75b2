//! SentencePiece's merging by scores (`tokenizer.ggml.model` = `llama`), as byte pairs.
//!
//! SentencePiece joins, of all neighbours whose joint spelling is a piece, those of the best score. As byte pairs that is a
//! merge for each way of cutting each piece in two pieces, those of the best piece first.

use super::spellings::Spellings;

/// Stands for a space in spellings.
pub const SPACE: char = '▁';

/// The merges of a vocabulary, the first first: two ids, and that of what they become.
pub fn merges(spellings: &Spellings, scores: &[f32]) -> impl Iterator<Item = [u32; 3]> {
    let mut best: Vec<u32> = (0..spellings.count() as u32).collect();
    // Among equals the lower id; a stable sort sees to it.
    best.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
    best.into_iter().flat_map(|id| {
        let token = spellings.get(id).unwrap_or_default();
        let cuts = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        cuts.filter_map(|(a, b)| Some([spellings.id(a)?, spellings.id(b)?, spellings.id(token)?]))
    })
}

/// A text as pieces spell it: a space before it, if such is the custom, and spaces visible.
pub fn spell(text: &str, space_before: bool) -> String {
    let before = if space_before && !text.is_empty() { " " } else { "" };
    [before, text].concat().replace(' ', SPACE.encode_utf8(&mut [0; 4]))
}

/// The byte of a token such as `<0x0A>`.
pub fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// The tokens of a letter's bytes, if each byte has one.
pub fn bytes(spellings: &Spellings, letter: &str) -> Option<Vec<u32>> {
    letter.bytes().map(|byte| spellings.id(&format!("<{byte:#04X}>"))).collect()
}
