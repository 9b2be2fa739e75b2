// Generated from src/protocol.rs by its test; do not edit.

/**
 * Page → worker.
 */
export type Request = { "type": "load", } | { "type": "see", 
/**
 * The caller's name for the picture.
 */
picture: number, 
/**
 * The most slices to cut it into; as many as the model was made for when left out.
 */
maxSlices?: number, } | { "type": "seePixels", 
/**
 * The caller's name for the picture.
 */
picture: number, 
/**
 * Columns.
 */
width: number, 
/**
 * Rows.
 */
height: number, 
/**
 * The most slices to cut it into; as many as the model was made for when left out.
 */
maxSlices?: number, } | { "type": "ask", 
/**
 * The caller's name for the answer; comes back in every event about it.
 */
id: number, 
/**
 * The question.
 */
question: string, 
/**
 * How to answer; what is left out has its default.
 */
options: Partial<AskOptions>, 
/**
 * The conversation so far, in the place of the session's own.
 */
history?: Array<Exchange>, } | { "type": "stop", 
/**
 * The answer to stop.
 */
id: number, } | { "type": "forget", 
/**
 * Forget the pictures too.
 */
pictures: boolean, } | { "type": "unload", };

/**
 * A question and the answer to it.
 */
export type Exchange = { 
/**
 * How many of the pictures had been shown by then.
 */
pictures: number, 
/**
 * The question.
 */
question: string, 
/**
 * The answer.
 */
answer: string, };

/**
 * How to choose the next token and when to stop.
 */
export type AskOptions = { 
/**
 * The most tokens to say.
 */
maxTokens: number, 
/**
 * 0 takes the likeliest token every time.
 */
temperature: number, 
/**
 * Keep the likeliest tokens that together hold this share of the probability; 1 keeps all.
 */
topP: number, 
/**
 * Keep this many of the likeliest tokens; 0 keeps all.
 */
topK: number, 
/**
 * Drop tokens less likely than this share of the likeliest; 0 keeps all.
 */
minP: number, 
/**
 * Divide the logits of tokens already said by this; 1 leaves them.
 */
repetitionPenalty: number, 
/**
 * The same seed gives the same answer.
 */
seed: number, 
/**
 * Texts at the first of which the answer ends, itself left out.
 */
stop: Array<string>, 
/**
 * What the answer must be.
 */
format: Format, };

/**
 * What an answer must be. It is held to it token by token, and falls short only when it ends early: stopped, or by `maxTokens`.
 */
export type Format = { "type": "text", } | { "type": "json", 
/**
 * The schema.
 */
schema: object | boolean, } | { "type": "regex", 
/**
 * In the syntax of Rust's `regex`, which has no look-around and no back-references.
 */
pattern: string, } | { "type": "choice", 
/**
 * The texts.
 */
options: Array<string>, };

/**
 * Worker → page.
 */
export type Event = { "type": "progress", 
/**
 * What is being done.
 */
phase: Phase, 
/**
 * Steps done.
 */
done: number, 
/**
 * Steps in all.
 */
total: number, } | { "type": "ready", 
/**
 * What was opened.
 */
model: ModelInfo, } | { "type": "sliced", 
/**
 * The caller's name for the picture.
 */
picture: number, 
/**
 * How it was cut.
 */
layout: Layout, } | { "type": "seen", 
/**
 * The caller's name for the picture.
 */
picture: number, 
/**
 * Milliseconds of decoding the file, slicing and resizing, and encoding.
 */
timings: SeeTimings, } | { "type": "stopped", 
/**
 * The caller's name for the picture.
 */
picture: number, } | { "type": "token", 
/**
 * The answer.
 */
id: number, 
/**
 * What to append.
 */
text: string, } | { "type": "done", 
/**
 * The answer.
 */
id: number, 
/**
 * The whole of it.
 */
answer: Answer, } | { "type": "stalled", 
/**
 * `Gpu` when it was lost, and another try may do.
 */
kind: ErrorKind, 
/**
 * One sentence saying what happened.
 */
message: string, } | { "type": "failed", 
/**
 * The answer that failed, where one was being given.
 */
id: number | null, 
/**
 * The picture that could not be looked at, where that is what failed.
 */
picture: number | null, 
/**
 * The category.
 */
kind: ErrorKind, 
/**
 * One sentence saying what is wrong and what to do.
 */
message: string, };

/**
 * A long step that reports progress.
 */
export type Phase = "load" | "encode" | "prefill";

/**
 * What was loaded.
 */
export type ModelInfo = { 
/**
 * The name its maker gave it.
 */
name: string, 
/**
 * The first 16 hex digits of the SHA-256 over both files.
 */
hash: string, 
/**
 * Weights in both files.
 */
parameters: number, 
/**
 * Bytes of both files.
 */
bytes: number, 
/**
 * Tokens a conversation can hold, pictures included.
 */
context: number, 
/**
 * The most slices a picture is cut into.
 */
maxSlices: number, 
/**
 * Tokens that a square view of a picture takes, markers not counted; views of other shapes take about as many.
 */
tokensPerView: number, };

/**
 * What a model takes in memory, in bytes; known before its weights are fetched.
 */
export type Needs = { 
/**
 * The weights of both files, as they lie in them.
 */
weights: number, 
/**
 * Keys and values of a conversation of `context` tokens.
 */
cache: number, 
/**
 * The values of the largest step, and the rows of a picture.
 */
working: number, 
/**
 * Tokens of the conversation that is reckoned with.
 */
context: number, };

/**
 * How a picture was cut (LLaVA-UHD): a grid of equal slices and an overview, or the overview alone.
 */
export type Layout = { 
/**
 * Columns of the picture after its orientation was applied.
 */
width: number, 
/**
 * Rows of the picture.
 */
height: number, 
/**
 * Columns of slices; 0 when the picture is not cut.
 */
columns: number, 
/**
 * Rows of slices; 0 when the picture is not cut.
 */
rows: number, 
/**
 * `[width, height]` of one slice as the encoder sees it, in pixels; zero when the picture is not cut.
 */
slice: [number, number], 
/**
 * `[width, height]` of the overview as the encoder sees it, in pixels.
 */
overview: [number, number], 
/**
 * Prompt tokens the picture takes, separators included.
 */
tokens: number, };

/**
 * Milliseconds spent on a picture before any question.
 */
export type SeeTimings = { 
/**
 * Reading the file into pixels.
 */
decodeMs: number, 
/**
 * Cutting and resizing.
 */
sliceMs: number, 
/**
 * Vision encoder and resampler, all views.
 */
encodeMs: number, };

/**
 * Why an answer ended.
 */
export type Finish = "stop" | "length" | "abort";

/**
 * A whole answer and what it cost.
 */
export type Answer = { 
/**
 * The answer's text.
 */
text: string, 
/**
 * Why it ended.
 */
finish: Finish, 
/**
 * Tokens counted and milliseconds spent.
 */
usage: Usage, 
/**
 * The seed that reproduces it.
 */
seed: number, };

/**
 * Exact token counts and per-stage times of one answer.
 */
export type Usage = { 
/**
 * Tokens of the conversation before the answer, pictures included.
 */
promptTokens: number, 
/**
 * Of those, tokens found in the cache and not computed again.
 */
cachedTokens: number, 
/**
 * Of the prompt, tokens that stand for pictures, separators included.
 */
pictureTokens: number, 
/**
 * Tokens said.
 */
answerTokens: number, 
/**
 * Reading the prompt, ms.
 */
prefillMs: number, 
/**
 * Saying the answer, ms.
 */
decodeMs: number, 
/**
 * From the question to the first token, ms.
 */
firstTokenMs: number, };

/**
 * What went wrong, as callers need to tell it apart.
 */
export type ErrorKind = "usage" | "picture" | "model" | "network" | "damaged" | "storage" | "memory" | "gpu" | "internal";

/**
 * A model as two files.
 */
export type Manifest = { 
/**
 * The form of the manifest: 1.
 */
version: number, 
/**
 * What to call the model.
 */
name?: string, 
/**
 * The language model and its vision encoder, in either order.
 */
files: Array<Remote>, };

/**
 * A file, and what is known of it before it is fetched.
 */
export type Remote = { 
/**
 * Where it is; in a manifest that was fetched, beside the manifest unless it is a whole address.
 */
url: string, 
/**
 * Bytes.
 */
size?: number, 
/**
 * SHA-256 of the file, 64 hex digits.
 */
sha256?: string, 
/**
 * SHA-256 of its parts: damage is then found, and mended, part by part.
 */
chunks?: Chunks, };

/**
 * Hashes of consecutive parts of a file.
 */
export type Chunks = { 
/**
 * Bytes of each part but the last: from 65,536 to 4,194,304.
 */
size: number, 
/**
 * SHA-256 of each, 64 hex digits.
 */
sha256: Array<string>, };
