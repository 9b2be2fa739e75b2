//! What an answer must be: JSON of a schema, a match of a regular expression, or one of several texts.
//!
//! The grammars are llguidance's, which says at each step which tokens may come next; all others get no chance. An answer can
//! fall short only by ending early: stopped, or at its limit of tokens.
//!
//! It is a crate and a WebAssembly module of its own, because it is nearly half as large as the engine and most answers need none.

#[cfg(target_arch = "wasm32")]
mod wasm;

use std::{fmt, sync::Arc};

use llguidance::{
    Matcher, ParserFactory,
    api::TopLevelGrammar,
    regex_to_lark,
    toktrie::{TokEnv, TokRxInfo, TokTrie, TokenizerEnv},
};
use serde_json::{Value, json};

/// Why an answer cannot be held to a form: one sentence for whoever asked for it.
#[derive(Debug)]
pub struct Refusal(String);

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Refusal>;

/// A vocabulary as grammars need it, made once for a model: a tree of all its tokens, some megabytes for 100,000.
pub struct Forms {
    factory: ParserFactory,
}

/// What may still come of one answer.
pub struct Form {
    matcher: Matcher,
}

impl Forms {
    /// For answers in tokens of these bytes, which end with one of the tokens `ends`. A token that is no text has no bytes.
    ///
    /// # Errors
    /// When no token ends answers.
    pub fn new(mut tokens: Vec<Vec<u8>>, ends: &[u32]) -> Result<Self> {
        let ends: Vec<_> = ends.iter().copied().filter(|&end| (end as usize) < tokens.len()).collect();
        let Some(&first) = ends.first() else {
            return Err(Refusal("This model has no token that ends an answer, so answers have no form.".into()));
        };
        // Without bytes a token has no place in the tree: no grammar lets it pass.
        for &end in &ends {
            tokens[end as usize].clear();
        }
        let trie = TokTrie::from(&TokRxInfo::new(tokens.len() as u32, first), &tokens).with_eos_tokens(&ends);
        let tokens: TokEnv = Arc::new(Tokens(trie));
        let mut factory = ParserFactory::new_simple(&tokens)
            .map_err(|why| Refusal(format!("This model's vocabulary does not serve for forms: {why}.")))?;
        factory.quiet();
        Ok(Self { factory })
    }

    /// JSON that this JSON schema describes, without white space between its parts.
    ///
    /// # Errors
    /// When something of the schema is not supported, or contradicts itself.
    pub fn json(&self, schema: &Value) -> Result<Form> {
        let mut schema = if *schema == Value::Bool(true) { json!({}) } else { schema.clone() };
        let Some(object) = schema.as_object_mut() else {
            return Err(Refusal("A JSON schema is an object, such as { \"type\": \"object\" }.".into()));
        };
        // A small model that may put white space anywhere sometimes puts nothing else.
        let compact = json!({ "whitespace_flexible": false, "item_separator": ",", "key_separator": ":" });
        object.insert("x-guidance".into(), compact);
        self.begin(TopLevelGrammar::from_json_schema(schema), "JSON schema")
    }

    /// Text that this regular expression matches as a whole: the syntax of Rust's `regex`, where `\d` and `\w` are ASCII as in
    /// JavaScript.
    ///
    /// # Errors
    /// When it is none, or has look-around or back-references.
    pub fn regex(&self, pattern: &str) -> Result<Form> {
        self.begin(whole(pattern), "regular expression")
    }

    /// One of these texts.
    ///
    /// # Errors
    /// When there is none, or an empty one.
    pub fn choice(&self, options: &[String]) -> Result<Form> {
        if options.is_empty() || options.iter().any(String::is_empty) {
            return Err(Refusal("There is nothing to choose from; give texts that are not empty.".into()));
        }
        let either: Vec<_> = options.iter().map(|option| escape(option)).collect();
        self.begin(whole(&either.join("|")), "choice")
    }

    fn begin(&self, grammar: TopLevelGrammar, what: &str) -> Result<Form> {
        let mut matcher = Matcher::new(self.factory.create_parser(grammar));
        match matcher.get_error().or_else(|| matcher.grammar_warnings().into_iter().next()) {
            Some(why) => {
                // What is wrong with a regular expression stands under a drawing of it.
                let why = why.lines().find_map(|line| line.strip_prefix("error: ")).or_else(|| why.lines().next());
                let why = why.unwrap_or_default().trim_end_matches('.');
                Err(Refusal(format!("The {what} cannot be followed: {why}.")))
            }
            None => Ok(Form { matcher }),
        }
    }
}

impl Form {
    /// Which tokens may come next: a bit for each, the lowest of a word first.
    ///
    /// # Errors
    /// When the grammar is too large to follow.
    pub fn allowed(&mut self) -> Result<Vec<u32>> {
        self.matcher.compute_mask_or_eos().map(|mask| mask.as_slice().to_vec()).map_err(too_large)
    }

    /// Goes on by a token that was said.
    ///
    /// # Errors
    /// When the grammar is too large to follow, or does not allow the token.
    pub fn take(&mut self, id: u32) -> Result<()> {
        self.matcher.consume_token(id).map_err(too_large)
    }

    /// Whether nothing can follow.
    pub fn is_over(&self) -> bool {
        self.matcher.is_stopped()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// The tree of tokens, without a way to cut text into them: no answer is written ahead of the model.
struct Tokens(TokTrie);

impl TokenizerEnv for Tokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<u32> {
        self.0.greedy_tokenize(text)
    }

    fn tokenize_is_canonical(&self) -> bool {
        false
    }
}

/// The grammar of what a regular expression matches.
fn whole(pattern: &str) -> TopLevelGrammar {
    TopLevelGrammar::from_lark(format!("start: /{}/", regex_to_lark(pattern, "dw")))
}

/// A regular expression that matches this text alone.
fn escape(text: &str) -> String {
    text.chars().flat_map(|c| r"\.+*?()|[]{}^$#&-~".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

fn too_large(_: impl fmt::Display) -> Refusal {
    Refusal("What the answer is to be is too large to follow; take a simpler schema or expression.".into())
}
