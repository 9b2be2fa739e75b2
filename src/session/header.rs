//! What the two headers say of everything but the network and its pictures: vocabulary, template, and whether they are a
//! pair.

use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    gguf::{File, Header, Value},
    image::slice::Slicing,
    model::VlmConfig,
    protocol::ModelInfo,
    text::{
        schema::Schema,
        template::Template,
        tokenizer::{Tokenizer, Vocabulary},
    },
};

/// Both files carry the same `loupe.pair` when they carry one at all; published pairs do not.
pub fn check_pair(text: &Header, vision: &Header) -> Result<()> {
    let id = |h: &Header| h.get("loupe.pair").and_then(Value::text).map(str::to_owned);
    match (id(text), id(vision)) {
        (Some(a), Some(b)) if a != b => Err(Error::model(format!(
            "These two files are not a pair: the language model belongs to `{a}`, the vision encoder to `{b}`. Give files of the same model."
        ))),
        _ => Ok(()),
    }
}

/// The tokenizer of a vocabulary, whose lists are taken out of the header.
pub fn tokenizer(h: &mut Header) -> Result<Tokenizer> {
    let is_pieces = match h.text("tokenizer.ggml.model")? {
        "gpt2" => false,
        "llama" => true,
        kind => {
            return Err(Error::model(format!(
                "The tokenizer is of the kind `{kind}`; this version of Loupe reads byte-level BPE (`gpt2`) and SentencePiece (`llama`)."
            )));
        }
    };
    let text = |value| if let Value::Text(text) = value { Some(text) } else { None };
    let tokens = h.take_list("tokenizer.ggml.tokens", text)?;
    let merges = if is_pieces { Vec::new() } else { h.take_list("tokenizer.ggml.merges", text)? };
    let types = h.take_list("tokenizer.ggml.token_type", |v| v.signed().and_then(|v| i32::try_from(v).ok()))?;
    let scores =
        if is_pieces { Some(h.take_list("tokenizer.ggml.scores", |v| v.number().map(|v| v as f32))?) } else { None };
    let flag = |name: &str| h.get(&format!("tokenizer.ggml.{name}")).and_then(Value::bool);
    let pre = h.get("tokenizer.ggml.pre").and_then(Value::text).unwrap_or("default").to_owned();
    let id = |name: &str| h.get(&format!("tokenizer.ggml.{name}_token_id")).and_then(Value::unsigned);
    let id = |name: &str| id(name).and_then(|id| u32::try_from(id).ok());
    Tokenizer::new(Vocabulary {
        tokens,
        merges,
        types,
        scores,
        space_before: flag("add_space_prefix").unwrap_or(true),
        bos: id("bos"),
        eos: id("eos"),
        eot: id("eot"),
        // Where the file does not say, as llama.cpp does: pieces, and Llama 3's words, have it.
        add_bos: flag("add_bos_token").unwrap_or(is_pieces || Tokenizer::takes_whole_words(&pre)),
        pre,
    })
}

/// Checks that there is a token for each row of the embedding table, and one that ends answers.
pub fn check_vocabulary(tokenizer: &Tokenizer, rows: usize) -> Result<()> {
    if tokenizer.count() == rows && tokenizer.eos().is_some() {
        return Ok(());
    }
    Err(Error::model(format!(
        "The vocabulary has {} tokens, the model {rows}, and one must end answers; the file is damaged or not supported.",
        tokenizer.count()
    )))
}

pub const TEMPLATE: &str = "tokenizer.chat_template";

pub fn template(h: &Header, tokenizer: &Tokenizer, schema: &Schema) -> Result<Template> {
    let spelling = |id: Option<u32>| id.and_then(|id| tokenizer.spelling(id)).unwrap_or_default();
    Template::new(h.text(TEMPLATE)?, spelling(tokenizer.bos()), spelling(tokenizer.eos()), schema)
}

pub fn info(text: &File, vision: &File, config: &VlmConfig, slicing: &Slicing) -> Result<ModelInfo> {
    let square = config.vision.grid(slicing.side(), slicing.side());
    let mut hash = Sha256::new();
    hash.update(text.sha256);
    hash.update(vision.sha256);
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let tensors = [text, vision].into_iter().flat_map(|f| &f.header.tensors).map(|t| t.shape.iter().product::<usize>());
    Ok(ModelInfo {
        name: text.header.text("general.name").unwrap_or("unnamed").to_owned(),
        hash,
        parameters: u32::try_from(tensors.sum::<usize>()).unwrap_or(u32::MAX),
        bytes: u32::try_from(text.bytes + vision.bytes).unwrap_or(u32::MAX),
        context: config.text.context as u32,
        max_slices: slicing.max_slices(),
        tokens_per_view: config.view_rows(square) as u32,
    })
}
