//! What the page and the worker say to each other: the only types TypeScript sees.
//!
//! Bulk bytes (weights, pictures) never travel inside a message; they are handed over beside it. A test writes these
//! types to `www/lib/protocol.gen.ts` and fails when the committed file differs.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod typescript;

use crate::error::ErrorKind;

/// Page → worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Request {
    /// Open the model whose files have been pushed.
    Load {},
    /// Look at a picture whose encoded bytes come beside this message, and show it with the next question.
    /// It is sliced and encoded once, whatever number of questions follow.
    See {
        /// The caller's name for the picture.
        picture: u32,
        /// The most slices to cut it into; as many as the model was made for when left out.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        max_slices: Option<u32>,
    },
    /// Like `See`, for RGBA pixels (`width × height × 4` bytes beside this message) that the browser decoded.
    SeePixels {
        /// The caller's name for the picture.
        picture: u32,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The most slices to cut it into; as many as the model was made for when left out.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        max_slices: Option<u32>,
    },
    /// Ask about the pictures seen so far, as the next turn of the conversation.
    Ask {
        /// The caller's name for the answer; comes back in every event about it.
        id: u32,
        /// The question.
        question: String,
        /// How to answer; what is left out has its default.
        #[serde(default)]
        #[cfg_attr(test, ts(type = "Partial<AskOptions>"))]
        options: AskOptions,
        /// The conversation so far, in the place of the session's own.
        #[serde(default)]
        #[cfg_attr(test, ts(optional))]
        history: Option<Vec<Exchange>>,
    },
    /// Stop answering `id`, or stop looking when `id` is 0. What was said so far stays in the conversation.
    /// The answer to it is `Done` or `Stopped`; when nothing was under way there is none.
    Stop {
        /// The answer to stop.
        id: u32,
    },
    /// Begin a new conversation. The pictures stay, to be shown again with the next question, unless `pictures` is set.
    Forget {
        /// Forget the pictures too.
        #[serde(default)]
        pictures: bool,
    },
    /// Give the memory back.
    Unload {},
}

/// A question and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Exchange {
    /// How many of the pictures had been shown by then.
    pub pictures: usize,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

/// How to choose the next token and when to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AskOptions {
    /// The most tokens to say.
    pub max_tokens: u32,
    /// 0 takes the likeliest token every time.
    pub temperature: f32,
    /// Keep the likeliest tokens that together hold this share of the probability; 1 keeps all.
    pub top_p: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    pub top_k: u32,
    /// Drop tokens less likely than this share of the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divide the logits of tokens already said by this; 1 leaves them.
    pub repetition_penalty: f32,
    /// The same seed gives the same answer.
    pub seed: u32,
    /// Texts at the first of which the answer ends, itself left out.
    pub stop: Vec<String>,
    /// What the answer must be.
    pub format: Format,
}

impl Default for AskOptions {
    fn default() -> Self {
        Self {
            max_tokens: 64,
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            stop: Vec::new(),
            format: Format::Text {},
        }
    }
}

/// What an answer must be. It is held to it token by token, and falls short only when it ends early: stopped, or by `maxTokens`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Format {
    /// Whatever the model says.
    Text {},
    /// JSON that a JSON schema describes, without white space between its parts.
    Json {
        /// The schema.
        #[cfg_attr(test, ts(type = "object | boolean"))]
        schema: serde_json::Value,
    },
    /// Text that a regular expression matches as a whole.
    Regex {
        /// In the syntax of Rust's `regex`, which has no look-around and no back-references.
        pattern: String,
    },
    /// One of several texts.
    Choice {
        /// The texts.
        options: Vec<String>,
    },
}

/// Worker → page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Event {
    /// Something long moved on.
    Progress {
        /// What is being done.
        phase: Phase,
        /// Steps done.
        done: u32,
        /// Steps in all.
        total: u32,
    },
    /// The model is open.
    Ready {
        /// What was opened.
        model: ModelInfo,
    },
    /// The picture was cut; its slices are about to be encoded.
    Sliced {
        /// The caller's name for the picture.
        picture: u32,
        /// How it was cut.
        layout: Layout,
    },
    /// The picture is encoded: questions will be answered without looking again.
    Seen {
        /// The caller's name for the picture.
        picture: u32,
        /// Milliseconds of decoding the file, slicing and resizing, and encoding.
        timings: SeeTimings,
    },
    /// Looking was stopped before the picture was encoded; it is forgotten.
    Stopped {
        /// The caller's name for the picture.
        picture: u32,
    },
    /// More of the answer; whole characters only.
    Token {
        /// The answer.
        id: u32,
        /// What to append.
        text: String,
    },
    /// The answer is complete, or was stopped.
    Done {
        /// The answer.
        id: u32,
        /// The whole of it.
        answer: Answer,
    },
    /// The GPU failed. The session waits until the same model has been opened elsewhere, and then goes on where it was.
    Stalled {
        /// `Gpu` when it was lost, and another try may do.
        kind: ErrorKind,
        /// One sentence saying what happened.
        message: String,
    },
    /// A request could not be met; the session goes on.
    Failed {
        /// The answer that failed, where one was being given.
        id: Option<u32>,
        /// The picture that could not be looked at, where that is what failed.
        picture: Option<u32>,
        /// The category.
        kind: ErrorKind,
        /// One sentence saying what is wrong and what to do.
        message: String,
    },
}

/// A long step that reports progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Phase {
    /// Reading the model's files.
    Load,
    /// Encoding views of the picture, one a step.
    Encode,
    /// Reading the prompt.
    Prefill,
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ModelInfo {
    /// The name its maker gave it.
    pub name: String,
    /// The first 16 hex digits of the SHA-256 over both files.
    pub hash: String,
    /// Weights in both files.
    pub parameters: u32,
    /// Bytes of both files.
    pub bytes: u32,
    /// Tokens a conversation can hold, pictures included.
    pub context: u32,
    /// The most slices a picture is cut into.
    pub max_slices: u32,
    /// Tokens that a square view of a picture takes, markers not counted; views of other shapes take about as many.
    pub tokens_per_view: u32,
}

/// What a model takes in memory, in bytes; known before its weights are fetched.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Needs {
    /// The weights of both files, as they lie in them.
    #[cfg_attr(test, ts(type = "number"))]
    pub weights: u64,
    /// Keys and values of a conversation of `context` tokens.
    #[cfg_attr(test, ts(type = "number"))]
    pub cache: u64,
    /// The values of the largest step, and the rows of a picture.
    #[cfg_attr(test, ts(type = "number"))]
    pub working: u64,
    /// Tokens of the conversation that is reckoned with.
    pub context: u32,
}

/// How a picture was cut (LLaVA-UHD): a grid of equal slices and an overview, or the overview alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Layout {
    /// Columns of the picture after its orientation was applied.
    pub width: u32,
    /// Rows of the picture.
    pub height: u32,
    /// Columns of slices; 0 when the picture is not cut.
    pub columns: u32,
    /// Rows of slices; 0 when the picture is not cut.
    pub rows: u32,
    /// `[width, height]` of one slice as the encoder sees it, in pixels; zero when the picture is not cut.
    pub slice: [u32; 2],
    /// `[width, height]` of the overview as the encoder sees it, in pixels.
    pub overview: [u32; 2],
    /// Prompt tokens the picture takes, separators included.
    pub tokens: u32,
}

/// Milliseconds spent on a picture before any question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SeeTimings {
    /// Reading the file into pixels.
    pub decode_ms: f64,
    /// Cutting and resizing.
    pub slice_ms: f64,
    /// Vision encoder and resampler, all views.
    pub encode_ms: f64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Finish {
    /// The model said it was done.
    Stop,
    /// The token limit or the end of the context was reached.
    Length,
    /// The caller stopped it.
    Abort,
}

/// A whole answer and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Answer {
    /// The answer's text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens counted and milliseconds spent.
    pub usage: Usage,
    /// The seed that reproduces it.
    pub seed: u32,
}

/// Exact token counts and per-stage times of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Usage {
    /// Tokens of the conversation before the answer, pictures included.
    pub prompt_tokens: u32,
    /// Of those, tokens found in the cache and not computed again.
    pub cached_tokens: u32,
    /// Of the prompt, tokens that stand for pictures, separators included.
    pub picture_tokens: u32,
    /// Tokens said.
    pub answer_tokens: u32,
    /// Reading the prompt, ms.
    pub prefill_ms: f64,
    /// Saying the answer, ms.
    pub decode_ms: f64,
    /// From the question to the first token, ms.
    pub first_token_ms: f64,
}
