//! From a question to its answer: the prompt into the cache, then one token at a time.

use web_time::Instant;

use super::{
    form::{self, Form},
    look::{Picture, milliseconds},
    open::Model,
    resume::Memory,
};
use crate::{
    error::{Error, Result},
    protocol::{Answer, AskOptions, Event, Finish, Phase, Usage},
    text::{
        prompt::Item,
        sampler::{self, Sampler, Sampling},
        stops::Stops,
        stream::TextStream,
    },
};

/// Positions read in one step: enough to keep the machine busy, few enough to stop soon.
pub(super) const CHUNK: usize = 128;

/// An answer being given.
pub struct Answering {
    pub id: u32,
    /// The prompt, then what was said.
    items: Vec<Item>,
    /// Positions of `items` that are in the cache.
    at: usize,
    /// Positions of the prompt at which states are kept.
    keep: Vec<usize>,
    /// Positions that are read before the next word: the prompt, and when it had to be begun again what was said.
    prompt: usize,
    logits: Vec<f32>,
    said: Vec<u32>,
    text: String,
    stream: TextStream,
    stops: Stops,
    form: Option<Box<dyn Form>>,
    sampler: Sampler,
    options: AskOptions,
    usage: Usage,
    start: Instant,
}

impl Answering {
    /// Begins an answer to `prompt`, of which the first `at` positions, not all, are in the cache; the model's states are
    /// kept when they reach one of the positions `keep`.
    ///
    /// # Errors
    /// A usage error when the prompt does not fit the context, an option is out of range or a format cannot be followed.
    pub fn new(
        id: u32,
        prompt: Vec<Item>,
        at: usize,
        keep: Vec<usize>,
        options: AskOptions,
        usage: Usage,
        model: &mut Model,
    ) -> Result<Self> {
        let context = model.config.text.context;
        if prompt.len() >= context {
            return Err(Error::usage(format!(
                "The conversation needs {} tokens and the model holds {context}; shorten the question, begin a new conversation, or show fewer pictures.",
                prompt.len() + 1
            )));
        }
        let usage = Usage { prompt_tokens: prompt.len() as u32, cached_tokens: at as u32, ..usage };
        Ok(Self {
            id,
            at,
            keep,
            prompt: prompt.len(),
            items: prompt,
            logits: Vec::new(),
            said: Vec::new(),
            text: String::new(),
            stream: TextStream::new(),
            stops: Stops::new(&options.stop),
            form: model.form(&options.format)?,
            sampler: Sampler::new(sampling(&options))?,
            options,
            usage,
            start: Instant::now(),
        })
    }

    /// What is in the cache, and would not have to be read again.
    pub fn cached(&self) -> &[Item] {
        &self.items[..self.at]
    }

    /// Nothing is in the cache any more: the prompt and what was said are read again, and the answer goes on after that.
    pub fn begin_again(&mut self) {
        (self.at, self.usage.cached_tokens) = (0, 0);
        self.prompt = self.items.len();
    }

    /// One step: a chunk of the prompt, or one token. The answer when it is complete.
    ///
    /// # Errors
    /// An internal error when a step of the network fails.
    pub async fn step(
        &mut self,
        model: &mut Model,
        pictures: &[Picture],
        memory: &mut Memory,
        events: &mut Vec<Event>,
    ) -> Result<Option<Answer>> {
        let start = Instant::now();
        if self.at < self.prompt {
            self.read_chunk(model, pictures).await?;
            if self.keep.contains(&self.at) {
                memory.keep(self.at, model)?;
            }
            self.usage.prefill_ms += milliseconds(start);
            let cached = self.usage.cached_tokens as usize;
            let (done, total) = ((self.at - cached) as u32, (self.prompt - cached) as u32);
            events.push(Event::Progress { phase: Phase::Prefill, done, total });
            return Ok(None);
        }
        let finish = self.say_token(model, events).await;
        self.usage.decode_ms += milliseconds(start);
        Ok(finish?.map(|finish| self.finish(finish, events)))
    }

    /// Ends the answer where it is.
    pub fn finish(&mut self, finish: Finish, events: &mut Vec<Event>) -> Answer {
        let tail = std::mem::take(&mut self.stream).finish();
        self.emit(&tail, events);
        let held = std::mem::take(&mut self.stops).finish();
        self.tell(held, events);
        self.usage.answer_tokens = self.said.len() as u32;
        let answer =
            Answer { text: std::mem::take(&mut self.text), finish, usage: self.usage, seed: self.options.seed };
        events.push(Event::Done { id: self.id, answer: answer.clone() });
        answer
    }

    async fn read_chunk(&mut self, model: &mut Model, pictures: &[Picture]) -> Result<()> {
        let stops = self.keep.iter().copied().filter(|&stop| stop > self.at);
        let end = stops.chain([self.prompt, self.at + CHUNK]).min().unwrap_or(self.prompt);
        let chunk = &self.items[self.at..end];
        let width = model.config.text.layer.width;
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        for item in chunk {
            match *item {
                Item::Token(id) => ids.push(id),
                Item::PictureRow { picture, view, row } => {
                    let seen = pictures.get(picture as usize).and_then(|p| p.row(view, row, width));
                    let lost = || Error::internal("The prompt names a picture that was forgotten; report this.");
                    rows.extend_from_slice(seen.ok_or_else(lost)?);
                }
            }
        }
        let (mut token, mut picture) = (0, ids.len() as u32);
        let order: Vec<u32> = chunk
            .iter()
            .map(|item| {
                let next = if matches!(item, Item::Token(_)) { &mut token } else { &mut picture };
                *next += 1;
                *next - 1
            })
            .collect();
        self.logits = model.prefill(&ids, &rows, &order, self.at, None).await?;
        self.at += order.len();
        Ok(())
    }

    async fn say_token(&mut self, model: &mut Model, events: &mut Vec<Event>) -> Result<Option<Finish>> {
        if self.said.len() >= self.options.max_tokens as usize || self.items.len() >= model.config.text.context {
            return Ok(Some(Finish::Length));
        }
        let id = self.next_token(model).await?;
        if self.said.is_empty() {
            self.usage.first_token_ms = milliseconds(self.start);
        }
        if model.tokenizer.is_end(id) {
            return Ok(Some(Finish::Stop));
        }
        let tokenizer = &model.tokenizer;
        let bytes = if self.said.is_empty() { tokenizer.first_bytes(id) } else { tokenizer.bytes(id) };
        self.said.push(id);
        self.items.push(Item::Token(id));
        let text = self.stream.push(&bytes);
        if self.emit(&text, events) {
            return Ok(Some(Finish::Stop));
        }
        let Some(form) = &mut self.form else { return Ok(None) };
        form.take(id)?;
        Ok(form.is_over().then_some(Finish::Stop))
    }

    async fn next_token(&mut self, model: &mut Model) -> Result<u32> {
        // A token is put into the cache only when another is wanted after it.
        if let Some(&Item::Token(id)) = self.items.get(self.at) {
            // A form, a penalty and a die each need the logits of all tokens.
            if self.form.is_none() && self.sampler.takes_the_likeliest() && model.runs_ahead() {
                let wanted = self.options.max_tokens as usize - self.said.len();
                let room = model.config.text.context - self.items.len();
                let found = model.likeliest(id, self.at, wanted.min(room)).await?;
                self.at += 1;
                return sampler::checked(found.id, found.value);
            }
            self.logits = model.decode(id, self.at).await?;
            self.at += 1;
        }
        if let Some(form) = &mut self.form {
            form::restrict(form.as_mut(), &mut self.logits)?;
        }
        self.sampler.choose(&self.logits, &self.said)
    }

    /// Takes more of the answer and tells what is clear of it; whether it ends there.
    fn emit(&mut self, text: &str, events: &mut Vec<Event>) -> bool {
        let (clear, over) = self.stops.push(text);
        self.tell(clear, events);
        over
    }

    fn tell(&mut self, text: String, events: &mut Vec<Event>) {
        if !text.is_empty() {
            self.text.push_str(&text);
            events.push(Event::Token { id: self.id, text });
        }
    }
}

fn sampling(o: &AskOptions) -> Sampling {
    Sampling {
        repetition_penalty: o.repetition_penalty,
        temperature: o.temperature,
        top_k: o.top_k,
        top_p: o.top_p,
        min_p: o.min_p,
        seed: o.seed.into(),
    }
}
