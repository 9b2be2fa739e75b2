//! Text → token ids → bytes, from the arrays of a GGUF file: byte-level BPE, and SentencePiece's pieces.

mod pieces;
mod words;

use std::cmp::Reverse;
use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};

use self::words::Words;
use crate::error::{Error, Result};

/// A vocabulary as GGUF files hold it (`tokenizer.ggml.*`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    /// `tokens`: the spelling of each id, bytes written as GPT-2 writes them, or pieces with `▁` for a space.
    pub tokens: Vec<String>,
    /// `merges`: two spellings with a space between, the first merge first.
    pub merges: Vec<String>,
    /// `token_type` of each id; empty means all ordinary.
    pub types: Vec<i32>,
    /// `scores` of SentencePiece's pieces, which have no merges: of two that could be made, the better is.
    pub scores: Option<Vec<f32>>,
    /// `add_space_prefix`: whether pieces have a space before each text.
    pub space_before: bool,
    /// `pre`: how text is cut into words before merging.
    pub pre: String,
    /// `bos_token_id`: begins a conversation.
    pub bos: Option<u32>,
    /// `eos_token_id`: ends an answer.
    pub eos: Option<u32>,
    /// `eot_token_id`: ends an answer too, in models that tell a turn's end from a text's.
    pub eot: Option<u32>,
    /// `add_bos_token`: whether prompts begin with `bos`.
    pub add_bos: bool,
}

/// Control tokens steer the model and are never shown; user-defined ones are shown as they are spelled.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
/// What stands for what no token spells, in vocabularies of pieces.
const UNKNOWN: i32 = 2;

/// A noncharacter that [`Tokenizer::quote`] puts into names of special tokens; [`Tokenizer::encode`] takes it out again.
const QUOTE: char = '\u{fdd0}';

/// Tokens that end answers, whichever of them the file names.
const ENDS: [&str; 8] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|end|>",
    "<end_of_utterance>",
    "<end_of_turn>",
    "</s>",
];

/// Text to ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    bpe: tokenizers::Tokenizer,
    vocabulary: Vocabulary,
    /// Spelling and id of the special tokens.
    specials: Vec<(String, u32)>,
    /// The byte that each character of a spelling stands for.
    bytes: HashMap<char, u8>,
}

impl Tokenizer {
    /// Builds the tokenizer of a vocabulary.
    ///
    /// # Errors
    /// A model error for an unknown `pre`, a merge of unknown tokens, an id out of range, or arrays of different lengths.
    pub fn new(mut vocabulary: Vocabulary) -> Result<Self> {
        // Kept by the merger in its own form; twice would be a few megabytes.
        let merges = std::mem::take(&mut vocabulary.merges);
        let Vocabulary { tokens, types, pre, .. } = &vocabulary;
        let ids = [vocabulary.bos, vocabulary.eos, vocabulary.eot];
        let beyond = ids.into_iter().flatten().any(|id| id as usize >= tokens.len());
        let pair = |merge: String| merge.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
        let merges: Option<Vec<_>> = merges.into_iter().map(pair).collect();
        let fits = |len: usize| len == tokens.len();
        let lengths = (types.is_empty() || fits(types.len()))
            && vocabulary.scores.as_ref().is_none_or(|scores| fits(scores.len()));
        let (Some(merges), false, true, false) = (merges, beyond, lengths, tokens.is_empty()) else {
            return Err(Error::model("The model's vocabulary is damaged; get the file again."));
        };
        let special = |token: &str, id: u32| {
            let kind = types.get(id as usize).copied();
            !token.is_empty() && matches!(kind, Some(CONTROL | USER_DEFINED))
        };
        let named = tokens.iter().cloned().zip(0u32..);
        let specials = named.clone().filter(|(token, id)| special(token, *id)).collect();
        let words = if vocabulary.scores.is_some() { None } else { Some(Words::named(pre)?) };
        let merges = match &vocabulary.scores {
            Some(scores) => pieces::merges(tokens, scores),
            None => merges,
        };
        let mut bpe = BPE::builder().vocab_and_merges(named.collect::<Vocab>(), merges);
        bpe = bpe.ignore_merges(words.is_some_and(|words| words.whole));
        if words.is_none() {
            // What no piece spells is spelled by bytes.
            bpe = bpe.byte_fallback(true).fuse_unk(true);
            if let Some(unknown) = types.iter().position(|&kind| kind == UNKNOWN) {
                bpe = bpe.unk_token(tokens[unknown].clone());
            }
        }
        let bpe = bpe.build().map_err(|cause| {
            Error::model("The model's merges name unknown tokens; get the file again.").because(cause)
        })?;
        let mut bpe = tokenizers::Tokenizer::new(bpe);
        words.map_or(Ok(()), |words| words.give(&mut bpe))?;
        Ok(Self { bpe, specials, vocabulary, bytes: byte_spellings() })
    }

    /// Whether `tokenizer.ggml.pre` names words as Llama 3 cuts and takes them.
    pub fn takes_whole_words(pre: &str) -> bool {
        Words::named(pre).is_ok_and(|words| words.whole)
    }

    /// The vocabulary it was built from, without its merges.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The ids of a text. With `specials`, names of special tokens in it become those tokens; without, they are letters
    /// like others. No token is added at either end.
    ///
    /// # Errors
    /// A usage error when the text cannot be cut into words.
    pub fn encode(&self, text: &str, specials: bool) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut rest = text;
        while let Some((start, name, id)) = specials.then(|| self.next_special(rest)).flatten() {
            self.encode_plain(&rest[..start], &mut ids)?;
            ids.push(id);
            rest = &rest[start + name.len()..];
        }
        self.encode_plain(rest, &mut ids)?;
        Ok(ids)
    }

    /// A person's words, safe to put into a text that is encoded with `specials`: names of special tokens, and `marker`,
    /// are broken up so that they are read as the letters they are.
    pub fn quote(&self, text: &str, marker: &str) -> String {
        let text = text.replace(QUOTE, "");
        let mut quoted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        loop {
            let special = self.next_special(rest).map(|(start, ..)| start);
            let Some(start) = special.into_iter().chain(rest.find(marker)).min() else { break };
            let first = rest[start..].chars().next().map_or(0, char::len_utf8);
            quoted.push_str(&rest[..start + first]);
            quoted.push(QUOTE);
            rest = &rest[start + first..];
            if first == 0 {
                break;
            }
        }
        quoted.push_str(rest);
        quoted
    }

    /// The bytes that a token stands for in an answer: none for control tokens and unknown ids. A token need not be whole
    /// characters; see [`super::stream`].
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        let index = id as usize;
        let Some(token) = self.vocabulary.tokens.get(index) else { return Vec::new() };
        match self.vocabulary.types.get(index) {
            Some(&CONTROL) => Vec::new(),
            Some(&USER_DEFINED) => token.clone().into_bytes(),
            Some(&UNKNOWN) => Vec::new(),
            _ if self.vocabulary.scores.is_some() => {
                let spelled = || token.replace(pieces::SPACE, " ").into_bytes();
                pieces::byte(token).map_or_else(spelled, |byte| vec![byte])
            }
            // A spelling that is no byte spelling stands for itself.
            _ => token
                .chars()
                .map(|c| self.bytes.get(&c).copied())
                .collect::<Option<_>>()
                .unwrap_or_else(|| token.clone().into_bytes()),
        }
    }

    /// The bytes of an answer's first token: without the space that belongs before each text.
    pub fn first_bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = self.bytes(id);
        if self.vocabulary.scores.is_some() && self.vocabulary.space_before && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        bytes
    }

    /// The bytes of every token, by its id.
    pub fn all_bytes(&self) -> Vec<Vec<u8>> {
        (0..self.vocabulary.tokens.len() as u32).map(|id| self.bytes(id)).collect()
    }

    /// The tokens that end an answer.
    pub fn ends(&self) -> Vec<u32> {
        (0..self.vocabulary.tokens.len() as u32).filter(|&id| self.is_end(id)).collect()
    }

    /// The id of a token by its spelling in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.bpe.token_to_id(token)
    }

    /// Whether a token ends an answer.
    pub fn is_end(&self, id: u32) -> bool {
        let Vocabulary { tokens, types, eos, eot, .. } = &self.vocabulary;
        let is_control = types.get(id as usize) == Some(&CONTROL);
        *eos == Some(id) || *eot == Some(id) || is_control && ENDS.contains(&tokens[id as usize].as_str())
    }

    /// Where the first special token's name begins, the name, and its id; of two that begin there, the longer.
    fn next_special(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found = self.specials.iter().filter_map(|(name, id)| Some((text.find(name.as_str())?, name.as_str(), *id)));
        found.min_by_key(|(start, name, _)| (*start, Reverse(name.len())))
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let mut text = text.replace(QUOTE, "");
        if self.vocabulary.scores.is_some() {
            text = pieces::spell(&text, self.vocabulary.space_before);
        }
        let encoded = self
            .bpe
            .encode_fast(text, false)
            .map_err(|cause| Error::usage("The text cannot be cut into tokens; shorten it.").because(cause))?;
        ids.extend_from_slice(encoded.get_ids());
        Ok(())
    }
}

/// GPT-2's spelling of bytes: the printable ones of Latin-1 stand for themselves, the others, in order, for U+0100 on.
fn byte_spellings() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let (themselves, others): (Vec<u8>, Vec<u8>) = (0..=255).partition(printable);
    let moved = ('\u{100}'..).zip(others);
    themselves.into_iter().map(|byte| (char::from(byte), byte)).chain(moved).collect()
}
