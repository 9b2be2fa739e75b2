//! SentencePiece's merging by scores (`tokenizer.ggml.model` = `llama`), as byte pairs.
//!
//! SentencePiece joins, of all neighbours whose joint spelling is a piece, those of the best score. As byte pairs that is a
//! merge for each way of cutting each piece in two pieces, those of the best piece first.

use std::collections::HashMap;

/// Stands for a space in spellings.
pub const SPACE: char = '▁';

/// The merges of a vocabulary, the first first.
pub fn merges(tokens: &[String], scores: &[f32]) -> Vec<(String, String)> {
    let ids: HashMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
    let mut best: Vec<usize> = (0..tokens.len()).collect();
    // Among equals the lower id; a stable sort sees to it.
    best.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let cuts = |id: usize| {
        let token = &tokens[id];
        let cuts = token.char_indices().skip(1).map(move |(at, _)| token.split_at(at));
        cuts.filter(|(a, b)| ids.contains_key(a) && ids.contains_key(b)).map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    best.into_iter().flat_map(cuts).collect()
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
