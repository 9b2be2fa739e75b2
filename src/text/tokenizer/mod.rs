//! Text → token ids → bytes, from the arrays of a GGUF file: byte-level BPE, and SentencePiece's pieces.

mod merges;
mod pieces;
mod spellings;
mod words;

use std::{cmp::Reverse, collections::HashMap};

use self::{
    merges::Merges,
    spellings::Spellings,
    words::{Cutter, Words},
};
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
const CONTROL: u8 = 3;
const USER_DEFINED: u8 = 4;
/// What stands for what no token spells, in vocabularies of pieces.
const UNKNOWN: u8 = 2;

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
    spellings: Spellings,
    merges: Merges,
    /// How text is cut into words; texts of pieces are not.
    words: Option<Cutter>,
    /// `token_type` of each id; 0 for what has no meaning here.
    kinds: Vec<u8>,
    /// What stands for letters that neither pieces nor their bytes spell.
    unknown: Option<u32>,
    space_before: bool,
    /// Begins a conversation; ends an answer; ends it too.
    bos: Option<u32>,
    eos: Option<u32>,
    eot: Option<u32>,
    add_bos: bool,
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
    pub fn new(vocabulary: Vocabulary) -> Result<Self> {
        let Vocabulary { tokens, merges, types, scores, space_before, pre, bos, eos, eot, add_bos } = vocabulary;
        let damaged = || Error::model("The model's vocabulary is damaged; get the file again.");
        let fits = |len: usize| len == tokens.len();
        let lengths = (types.is_empty() || fits(types.len())) && scores.as_ref().is_none_or(|s| fits(s.len()));
        let inside = [bos, eos, eot].into_iter().flatten().all(|id| (id as usize) < tokens.len());
        if tokens.is_empty() || !lengths || !inside {
            return Err(damaged());
        }
        let words = if scores.is_some() { None } else { Some(Words::named(&pre)?.cutter()?) };
        let spellings = Spellings::new(&tokens).ok_or_else(damaged)?;
        let kinds: Vec<u8> = types.into_iter().map(|kind| u8::try_from(kind).unwrap_or_default()).collect();
        let kind = |id: u32| kinds.get(id as usize).copied();
        let special =
            |(token, id): &(String, u32)| !token.is_empty() && matches!(kind(*id), Some(CONTROL | USER_DEFINED));
        let specials = tokens.into_iter().zip(0u32..).filter(special).collect();
        let merges = match &scores {
            Some(scores) => Merges::new(pieces::merges(&spellings, scores)),
            None => Merges::new(read_merges(&spellings, &merges)?),
        };
        let unknown = kinds.iter().position(|&kind| kind == UNKNOWN).filter(|_| words.is_none());
        let (unknown, bytes) = (unknown.map(|id| id as u32), byte_spellings());
        Ok(Self { spellings, merges, words, kinds, unknown, space_before, bos, eos, eot, add_bos, specials, bytes })
    }

    /// Whether `tokenizer.ggml.pre` names words as Llama 3 cuts and takes them.
    pub fn takes_whole_words(pre: &str) -> bool {
        Words::named(pre).is_ok_and(|words| words.whole)
    }

    /// How many tokens there are.
    pub fn count(&self) -> usize {
        self.spellings.count()
    }

    /// How a token is spelled in the vocabulary.
    pub fn spelling(&self, id: u32) -> Option<&str> {
        self.spellings.get(id)
    }

    /// The token that begins a conversation.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends an answer.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The token that stands before each prompt.
    pub fn before_prompts(&self) -> Option<u32> {
        self.bos.filter(|_| self.add_bos)
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
        let Some(token) = self.spellings.get(id) else { return Vec::new() };
        match self.kinds.get(id as usize) {
            Some(&CONTROL) => Vec::new(),
            Some(&USER_DEFINED) => token.as_bytes().to_vec(),
            Some(&UNKNOWN) => Vec::new(),
            _ if self.words.is_none() => {
                let spelled = || token.replace(pieces::SPACE, " ").into_bytes();
                pieces::byte(token).map_or_else(spelled, |byte| vec![byte])
            }
            // A spelling that is no byte spelling stands for itself.
            _ => token
                .chars()
                .map(|c| self.bytes.get(&c).copied())
                .collect::<Option<_>>()
                .unwrap_or_else(|| token.as_bytes().to_vec()),
        }
    }

    /// The bytes of an answer's first token: without the space that belongs before each text.
    pub fn first_bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = self.bytes(id);
        if self.words.is_none() && self.space_before && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        bytes
    }

    /// The bytes of every token, by its id.
    pub fn all_bytes(&self) -> Vec<Vec<u8>> {
        (0..self.spellings.count() as u32).map(|id| self.bytes(id)).collect()
    }

    /// The tokens that end an answer.
    pub fn ends(&self) -> Vec<u32> {
        (0..self.spellings.count() as u32).filter(|&id| self.is_end(id)).collect()
    }

    /// The id of a token by its spelling in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.spellings.id(token)
    }

    /// Whether a token ends an answer.
    pub fn is_end(&self, id: u32) -> bool {
        let is_control = self.kinds.get(id as usize) == Some(&CONTROL);
        let is_named = || self.spellings.get(id).is_some_and(|name| ENDS.contains(&name));
        self.eos == Some(id) || self.eot == Some(id) || is_control && is_named()
    }

    /// Where the first special token's name begins, the name, and its id; of two that begin there, the longer.
    fn next_special(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found = self.specials.iter().filter_map(|(name, id)| Some((text.find(name.as_str())?, name.as_str(), *id)));
        found.min_by_key(|(start, name, _)| (*start, Reverse(name.len())))
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let text = text.replace(QUOTE, "");
        match &self.words {
            Some(words) => words.cut(&text, |word| self.encode_word(word, words.whole, ids)),
            None => {
                self.encode_word(&pieces::spell(&text, self.space_before), false, ids);
                Ok(())
            }
        }
    }

    /// The ids of a word; `whole` takes it as it is where it is a token.
    fn encode_word(&self, word: &str, whole: bool, ids: &mut Vec<u32>) {
        if let Some(id) = self.spellings.id(word).filter(|_| whole) {
            return ids.push(id);
        }
        let mut letters = Vec::with_capacity(word.len());
        for (at, letter) in word.char_indices() {
            let letter = &word[at..at + letter.len_utf8()];
            match self.spellings.id(letter) {
                Some(id) => letters.push(id),
                None if self.words.is_none() => match pieces::bytes(&self.spellings, letter) {
                    Some(bytes) => letters.extend(bytes),
                    // Once for as many as there are in a row.
                    None => letters.extend(self.unknown.filter(|unknown| letters.last() != Some(unknown))),
                },
                None => {}
            }
        }
        self.merges.join(&mut letters);
        ids.append(&mut letters);
    }
}

/// Merges as files spell them, two spellings with a space between, as ids and the id of what they become.
fn read_merges(spellings: &Spellings, merges: &[String]) -> Result<Vec<[u32; 3]>> {
    let read = |merge: &String| {
        let (left, right) = merge.split_once(' ')?;
        Some([spellings.id(left)?, spellings.id(right)?, spellings.id(&[left, right].concat())?])
    };
    let damaged = || Error::model("The model's merges name unknown tokens; get the file again.");
    merges.iter().map(read).collect::<Option<_>>().ok_or_else(damaged)
}

/// GPT-2's spelling of bytes: the printable ones of Latin-1 stand for themselves, the others, in order, for U+0100 on.
fn byte_spellings() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let (themselves, others): (Vec<u8>, Vec<u8>) = (0..=255).partition(printable);
    let moved = ('\u{100}'..).zip(others);
    themselves.into_iter().map(|byte| (char::from(byte), byte)).chain(moved).collect()
}
