//! Chat templates: a conversation becomes the one text its model was trained on.
//!
//! The template is a Jinja program from a model file, so it is run with bounds: it can say no, but not run on. A program
//! that doubles a string some forty times would still ask for more memory than there is; nobody has shipped one.

mod python;

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind as JinjaKind, context};

use super::schema::Schema;
use crate::error::{Error, Result};

/// Instructions a template may run: thousands of turns.
const FUEL: u64 = 1_000_000;

/// Bytes a template may write, in all.
const MOST_BYTES: usize = 4 << 20;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// Pictures shown along with the words, before them.
    pub pictures: usize,
    /// What was said.
    pub words: String,
}

/// The template of a model.
pub struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    placeholder: &'static str,
    content: Content,
}

/// What a template takes a message for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// A list of pictures and texts; the template prints the placeholders.
    Parts,
    /// A text, in which placeholders stand already, each with this after it.
    Text(&'static str),
}

const NAME: &str = "chat";

impl Template {
    /// Compiles `tokenizer.chat_template`; `bos` and `eos` are the spellings of the tokens that the template may name, and
    /// `schema` knows what it may print for a picture.
    ///
    /// # Errors
    /// A model error when it is not Jinja.
    pub fn new(source: &str, bos: &str, eos: &str, schema: &Schema) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(64);
        // As transformers sets them.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(
            syntax.map_err(|cause| Error::internal("Jinja's own syntax is refused; report this.").because(cause))?,
        );
        python::give(&mut environment);
        // What the model said, for trainers: the text is the same without.
        let mut source = source.to_owned();
        for (open, close) in [("{%", "%}"), ("{%-", "%}"), ("{%", "-%}"), ("{%-", "-%}")] {
            for (theirs, ours) in [("generation", "if true"), ("endgeneration", "endif")] {
                source = source.replace(&format!("{open} {theirs} {close}"), &format!("{open} {ours} {close}"));
            }
        }
        environment.add_template_owned(NAME, source).map_err(|cause| {
            Error::model("The model's chat template cannot be read; get the file again.").because(cause)
        })?;
        let mut this = Self {
            environment,
            bos: bos.to_string(),
            eos: eos.to_string(),
            placeholder: schema.placeholders.first().copied().unwrap_or("<image>"),
            content: Content::Parts,
        };
        let printed = this.printed(schema.placeholders);
        match printed {
            Some(placeholder) => this.placeholder = placeholder,
            None => this.content = Content::Text(schema.after_placeholder),
        }
        Ok(this)
    }

    /// What stands for a picture in a rendered conversation. Words must not contain it.
    pub fn placeholder(&self) -> &'static str {
        self.placeholder
    }

    /// The placeholder that the template prints for a picture in a list, if it takes messages for lists: some join text and
    /// text, and print a list's program text or fail.
    fn printed(&self, placeholders: &[&'static str]) -> Option<&'static str> {
        const WORDS: &str = "\u{fdd1}words\u{fdd1}";
        let message = Message { role: "user", pictures: 1, words: WORDS.into() };
        let text = self.render(&[message], true).ok().filter(|text| text.matches(WORDS).count() == 1)?;
        placeholders.iter().copied().find(|placeholder| text.matches(placeholder).count() == 1)
    }

    /// The text of a conversation, up to where the model answers when `open` is set.
    ///
    /// # Errors
    /// A model error when the template refuses the conversation, in its own words, or does not come to an end.
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String> {
        let turn = |message: &Message| context! { role => message.role, content => self.content(message) };
        let input = context! {
            messages => messages.iter().map(turn).collect::<Value>(),
            add_generation_prompt => open,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            // MiniCPM-V's own chat answers at once unless asked to think aloud.
            enable_thinking => false,
        };
        let mut text = Bounded(Vec::new());
        let template = self.environment.get_template(NAME);
        template.and_then(|template| template.render_captured_to(input, &mut text).map(|_| ())).map_err(|cause| {
            let why = match cause.kind() {
                JinjaKind::OutOfFuel | JinjaKind::WriteFailure => "does not come to an end".to_string(),
                JinjaKind::InvalidOperation => format!("says “{}”", cause.detail().unwrap_or("no")),
                _ => "fails".to_string(),
            };
            Error::model(format!("The model's chat template {why}; ask differently or use another model."))
                .because(cause)
        })?;
        String::from_utf8(text.0)
            .map_err(|cause| Error::internal("A template wrote half a character; report this.").because(cause))
    }
}

impl Template {
    fn content(&self, message: &Message) -> Value {
        let words = message.words.as_str();
        match self.content {
            Content::Parts => {
                let pictures = std::iter::repeat_n(context! { type => "image" }, message.pictures);
                pictures.chain([context! { type => "text", text => words }]).collect()
            }
            Content::Text(after) => (format!("{}{after}", self.placeholder).repeat(message.pictures) + words).into(),
        }
    }
}

/// Text that refuses to grow beyond [`MOST_BYTES`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MOST_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
