//! How byte-level vocabularies cut text into words, which merges never cross: what `tokenizer.ggml.pre` names.
//!
//! Source of the names: llama.cpp `src/llama-vocab.cpp`; of the patterns: the `tokenizer.json` of the models.

use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    NormalizedString, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
    SplitDelimiterBehavior,
};

use crate::error::{Error, Result};

/// Words of GPT-2: a space belongs to the word after it.
const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Words of Qwen2: digits stand alone.
const QWEN_2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Words of Qwen3.5: marks belong to their letters.
const QWEN_35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Words of Llama 3: up to three digits.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// One way of cutting.
pub struct Words {
    /// What it is called in files.
    names: &'static [&'static str],
    /// Matches of the first are cut out, then those of the next of what is left.
    patterns: &'static [&'static str],
    /// Whether accents and their letters are made one character first.
    composed: bool,
    /// Whether a word that is a token is taken as it is, whatever the merges would make of it.
    pub whole: bool,
}

const KINDS: [Words; 5] = [
    Words { names: &["gpt-2", "default", "granite-docling"], patterns: &[GPT_2], composed: false, whole: false },
    Words { names: &["smollm", "refact"], patterns: &[r"\p{N}", GPT_2], composed: false, whole: false },
    Words { names: &["qwen2"], patterns: &[QWEN_2], composed: true, whole: false },
    Words { names: &["qwen35"], patterns: &[QWEN_35], composed: true, whole: false },
    Words { names: &["llama-bpe", "llama3", "llama-v3", "lfm2"], patterns: &[LLAMA_3], composed: false, whole: true },
];

impl Words {
    /// The way of this name.
    ///
    /// # Errors
    /// A model error when there is none.
    pub fn named(pre: &str) -> Result<&'static Self> {
        KINDS.iter().find(|kind| kind.names.contains(&pre)).ok_or_else(|| {
            let known: Vec<_> = KINDS.iter().flat_map(|kind| kind.names).copied().collect();
            let known = known.join(", ");
            Error::model(format!("The model cuts words as “{pre}” does; this version of Loupe knows {known}."))
        })
    }

    /// What cuts so.
    ///
    /// # Errors
    /// An internal error when a pattern is none.
    pub fn cutter(&self) -> Result<Cutter> {
        let split = |pattern: &&str| {
            let split =
                Split::new(SplitPattern::Regex((*pattern).to_string()), SplitDelimiterBehavior::Isolated, false);
            split.map(PreTokenizerWrapper::Split)
        };
        let mut steps =
            self.patterns.iter().map(split).collect::<std::result::Result<Vec<_>, _>>().map_err(|cause| {
                Error::internal(format!("The words of “{}” are no pattern; report this.", self.names[0])).because(cause)
            })?;
        steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)));
        Ok(Cutter { steps: Sequence::new(steps), composed: self.composed, whole: self.whole })
    }
}

/// Cuts text into words.
#[derive(Debug)]
pub struct Cutter {
    steps: Sequence,
    composed: bool,
    /// See [`Words::whole`].
    pub whole: bool,
}

impl Cutter {
    /// Gives `take` each word of a text, its bytes as vocabularies spell them.
    ///
    /// # Errors
    /// A usage error when the text cannot be cut.
    pub fn cut(&self, text: &str, mut take: impl FnMut(&str)) -> Result<()> {
        let mut text = NormalizedString::from(text);
        if self.composed {
            text.nfc();
        }
        let mut words = PreTokenizedString::from(text);
        self.steps
            .pre_tokenize(&mut words)
            .map_err(|cause| Error::usage("The text cannot be cut into tokens; shorten it.").because(cause))?;
        for (word, ..) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            take(word);
        }
        Ok(())
    }
}
