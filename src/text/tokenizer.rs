//! Byte-level BPE from the arrays of a GGUF file: text → token ids → bytes.

use std::cmp::Reverse;
use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use crate::error::{Error, Result};

/// A vocabulary as GGUF files hold it (`tokenizer.ggml.*`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    /// `tokens`: the spelling of each id, bytes written as GPT-2 writes them.
    pub tokens: Vec<String>,
    /// `merges`: two spellings with a space between, the first merge first.
    pub merges: Vec<String>,
    /// `token_type` of each id; empty means all ordinary.
    pub types: Vec<i32>,
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

/// A noncharacter that [`Tokenizer::quote`] puts into names of special tokens; [`Tokenizer::encode`] takes it out again.
const QUOTE: char = '\u{fdd0}';

/// Words of GPT-2: a space belongs to the word after it.
const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Words of Qwen2: digits stand alone.
const QWEN_2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Words of Llama 3: up to three digits.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

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
        let (Some(merges), false, false) =
            (merges, beyond, tokens.is_empty() || !(types.is_empty() || types.len() == tokens.len()))
        else {
            return Err(Error::model("The model's vocabulary is damaged; get the file again."));
        };
        let special = |token: &str, id: u32| {
            let kind = types.get(id as usize).copied();
            !token.is_empty() && matches!(kind, Some(CONTROL | USER_DEFINED))
        };
        let named = tokens.iter().cloned().zip(0u32..);
        let specials = named.clone().filter(|(token, id)| special(token, *id)).collect();
        let bpe = BPE::builder()
            .vocab_and_merges(named.collect::<Vocab>(), merges)
            // Llama 3 takes a word that is a token as it is, whatever the merges would make of it.
            .ignore_merges(pre == "llama-bpe")
            .build()
            .map_err(|cause| {
                Error::model("The model's merges name unknown tokens; get the file again.").because(cause)
            })?;
        let mut bpe = tokenizers::Tokenizer::new(bpe);
        bpe.with_pre_tokenizer(Some(words(pre)?));
        if pre == "qwen2" {
            bpe.with_normalizer(Some(NFC))
                .map_err(|cause| Error::internal("Unicode could not be normalised; report this.").because(cause))?;
        }
        Ok(Self { bpe, specials, vocabulary, bytes: byte_spellings() })
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
            // A spelling that is no byte spelling stands for itself.
            _ => token
                .chars()
                .map(|c| self.bytes.get(&c).copied())
                .collect::<Option<_>>()
                .unwrap_or_else(|| token.clone().into_bytes()),
        }
    }

    /// The id of a token by its spelling in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.bpe.token_to_id(token)
    }

    /// Whether a token ends an answer.
    pub fn is_end(&self, id: u32) -> bool {
        self.vocabulary.eos == Some(id) || self.vocabulary.eot == Some(id)
    }

    /// Where the first special token's name begins, the name, and its id; of two that begin there, the longer.
    fn next_special(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found = self.specials.iter().filter_map(|(name, id)| Some((text.find(name.as_str())?, name.as_str(), *id)));
        found.min_by_key(|(start, name, _)| (*start, Reverse(name.len())))
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let text = text.replace(QUOTE, "");
        let encoded = self
            .bpe
            .encode_fast(text, false)
            .map_err(|cause| Error::usage("The text cannot be cut into tokens; shorten it.").because(cause))?;
        ids.extend_from_slice(encoded.get_ids());
        Ok(())
    }
}

/// How each `tokenizer.ggml.pre` cuts text into words, which merges never cross.
fn words(pre: &str) -> Result<PreTokenizerWrapper> {
    let patterns: &[&str] = match pre {
        "gpt-2" | "default" => &[GPT_2],
        "smollm" => &[r"\p{N}", GPT_2],
        "qwen2" => &[QWEN_2],
        "llama-bpe" => &[LLAMA_3],
        _ => {
            let known = "gpt-2, smollm, qwen2 and llama-bpe";
            return Err(Error::model(format!("The model cuts words as “{pre}” does; this build knows {known}.")));
        }
    };
    let split = |pattern: &&str| {
        let split = Split::new(SplitPattern::Regex((*pattern).to_string()), SplitDelimiterBehavior::Isolated, false);
        split.map(PreTokenizerWrapper::Split)
    };
    let mut steps = patterns.iter().map(split).collect::<std::result::Result<Vec<_>, _>>().map_err(|cause| {
        Error::internal(format!("The words of “{pre}” are no pattern; report this.")).because(cause)
    })?;
    steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)));
    Ok(PreTokenizerWrapper::Sequence(Sequence::new(steps)))
}

/// GPT-2's spelling of bytes: the printable ones of Latin-1 stand for themselves, the others, in order, for U+0100 on.
fn byte_spellings() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let (themselves, others): (Vec<u8>, Vec<u8>) = (0..=255).partition(printable);
    let moved = ('\u{100}'..).zip(others);
    themselves.into_iter().map(|byte| (char::from(byte), byte)).chain(moved).collect()
}
