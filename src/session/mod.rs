//! Open, look, ask, step: the whole of Loupe without a face. The command line and the worker drive the same session.
//!
//! Requests are queued and met in order. Nothing happens but in [`Session::step`], which does one bounded piece of work
//! (one view, one chunk of a prompt, one token), so that whoever drives it can stop between any two.

mod answer;
mod family;
pub mod form;
mod header;
mod look;
mod needs;
mod open;
mod opening;
mod remember;
mod resume;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use look::{Source, shape as picture_shape};
pub use open::{Model, Profile};
pub use opening::Opening;

use answer::Answering;
use form::Forms;
use look::{Looking, Picture};
use resume::Memory;

use crate::{
    error::{Error, ErrorKind, Result},
    exec::AnyExecutor,
    gguf::File,
    image::slice::Slicing,
    protocol::{Answer, AskOptions, Event, Exchange, Finish, ModelInfo, SeeTimings, Usage},
    text::{prompt::Item, tokenizer::Tokenizer},
};

/// A model, the pictures it has seen, and a conversation about them.
pub struct Session {
    model: Model,
    pictures: Vec<Picture>,
    turns: Vec<Turn>,
    memory: Memory,
    queue: VecDeque<Job>,
    current: Current,
    /// Whether whoever drives it can open the model elsewhere when its GPU fails.
    movable: bool,
    /// Whether that is what it waits for.
    stalled: bool,
}

/// A question and, once given, its answer. Pictures up to `pictures` were shown by then.
struct Turn {
    pictures: usize,
    question: String,
    answer: Option<String>,
}

enum Job {
    See { picture: u32, source: Source, most: Option<u32> },
    SeeAgain { picture: Box<Picture> },
    Ask { id: u32, question: String, options: AskOptions, history: Option<Vec<Exchange>> },
    Forget { pictures: bool },
}

enum Current {
    Idle,
    Looking(Box<Looking>),
    Answering(Box<Answering>),
}

impl Session {
    /// Opens a model from its two files, in either order.
    ///
    /// # Errors
    /// A model error when a file is damaged, of an unsupported kind, or not of the same model as the other.
    pub fn open(a: File, b: File) -> Result<Self> {
        Self::open_on(a, b, AnyExecutor::default())
    }

    /// The same on an executor of the caller's choice, which has no model yet.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(a: File, b: File, executor: AnyExecutor) -> Result<Self> {
        Ok(Self::new(Model::open(a, b, executor)?))
    }

    fn new(model: Model) -> Self {
        Self {
            model,
            pictures: Vec::new(),
            turns: Vec::new(),
            memory: Memory::default(),
            queue: VecDeque::new(),
            current: Current::Idle,
            movable: false,
            stalled: false,
        }
    }

    /// From now on a GPU that fails is no failure of what was asked: the session stalls ([`Event::Stalled`]) until
    /// [`Self::go_on`].
    pub fn expect_faults(&mut self) {
        self.movable = true;
    }

    /// Goes on where it stalled, with the model of `fresh`: the same, opened elsewhere. Pictures need not be looked at
    /// again, for their rows are here; what was read and said of a conversation is read again into the new caches.
    pub fn go_on(&mut self, fresh: Self) {
        let forms = self.model.forms.take();
        self.model = fresh.model;
        self.model.forms = forms;
        self.stalled = false;
    }

    /// Whether it waits for its model to be opened elsewhere.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Resolves once the model is where it is run.
    ///
    /// # Errors
    /// When a GPU has too little memory for it, was lost, or cannot run it.
    pub async fn ready(&self) -> Result<()> {
        self.model.ready().await
    }

    /// Gives up what failed, caches with it.
    fn stall(&mut self) {
        self.model.give_up();
        self.memory.clear();
        if let Current::Answering(answering) = &mut self.current {
            answering.begin_again();
        }
        self.stalled = true;
    }

    /// Whether the network has a node of this name, or one that reads the weight of this name.
    ///
    /// # Errors
    /// A usage error when it has none, which names some like it.
    pub fn check_node(&self, name: &str) -> Result<()> {
        self.model.check_node(name)
    }

    /// From now on, records how long each node of the network takes.
    pub fn profile(&mut self) {
        self.model.profile = Some(Profile::default());
    }

    /// What has been recorded since.
    pub fn profiled(&self) -> Option<&Profile> {
        self.model.profile.as_ref()
    }

    /// What the network runs on.
    pub fn executor(&self) -> String {
        self.model.executor()
    }

    /// What was opened.
    pub fn info(&self) -> &ModelInfo {
        &self.model.info
    }

    /// How the model wants pictures cut.
    pub fn slicing(&self) -> &Slicing {
        &self.model.slicing
    }

    /// From now on, cuts pictures as the preset of this name, at the sizes of the model.
    ///
    /// # Errors
    /// A usage error that lists the presets when there is none of that name, or not for such a model.
    pub fn cut_as(&mut self, preset: &str) -> Result<()> {
        self.model.slicing = self.model.slicing.in_the_manner_of(preset)?;
        Ok(())
    }

    /// The text side of the model, for whoever makes grammars for its vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// From now on, these grammars hold answers to their formats.
    pub fn hold_to(&mut self, forms: Box<dyn Forms>) {
        self.model.forms = Some(forms);
    }

    /// Looks at a picture, to be shown with the next question.
    pub fn see(&mut self, picture: u32, source: Source) {
        self.see_cut(picture, source, None);
    }

    /// The same with the picture cut into at most `most` slices, where that is less than the model was made for.
    pub fn see_cut(&mut self, picture: u32, source: Source, most: Option<u32>) {
        self.queue.push_back(Job::See { picture, source, most });
    }

    /// A picture that was looked at, as bytes that [`Self::see_again`] takes, today or another day.
    pub fn remembered(&self, picture: u32) -> Option<Vec<u8>> {
        let picture = self.pictures.iter().find(|seen| seen.id == picture)?;
        Some(remember::write(picture, &self.model))
    }

    /// Takes a picture that was looked at before in the place of looking at it, to be shown with the next question.
    ///
    /// # Errors
    /// Of kind [`Damaged`](crate::ErrorKind::Damaged) when the bytes are not whole, or not of this model.
    pub fn see_again(&mut self, picture: u32, bytes: &[u8]) -> Result<()> {
        let picture = Box::new(remember::read(picture, bytes, &self.model)?);
        self.queue.push_back(Job::SeeAgain { picture });
        Ok(())
    }

    /// Asks about the pictures seen so far.
    pub fn ask(&mut self, id: u32, question: impl Into<String>, options: AskOptions) {
        self.queue.push_back(Job::Ask { id, question: question.into(), options, history: None });
    }

    /// The same with `history` in the place of the conversation so far. What the two have in common is not read again.
    pub fn ask_after(&mut self, history: Vec<Exchange>, id: u32, question: impl Into<String>, options: AskOptions) {
        self.queue.push_back(Job::Ask { id, question: question.into(), options, history: Some(history) });
    }

    /// Begins a new conversation; the pictures stay unless they are forgotten too.
    pub fn forget(&mut self, pictures: bool) {
        self.queue.push_back(Job::Forget { pictures });
    }

    /// Stops answer `id`, or all looking when `id` is 0, whether begun or still queued. What was said stays in the
    /// conversation; a picture that was not yet encoded is forgotten.
    pub fn stop(&mut self, id: u32) -> Vec<Event> {
        let mut events = Vec::new();
        match &mut self.current {
            Current::Looking(looking) if id == 0 => {
                events.push(Event::Stopped { picture: looking.id });
                self.current = Current::Idle;
            }
            Current::Answering(answering) if answering.id == id => {
                let answer = answering.finish(Finish::Abort, &mut events);
                self.end_turn(answer.text);
                // A question that was stopped before a word was said was not asked.
                self.turns.pop_if(|turn| turn.answer.as_deref() == Some(""));
            }
            _ => {}
        }
        self.queue.retain(|job| match *job {
            Job::See { picture, .. } if id == 0 => {
                events.push(Event::Stopped { picture });
                false
            }
            Job::Ask { id: queued, .. } if queued == id => {
                let answer = Answer { text: String::new(), finish: Finish::Abort, usage: Usage::default(), seed: 0 };
                events.push(Event::Done { id, answer });
                false
            }
            _ => true,
        });
        events
    }

    /// One bounded piece of work and what came of it; `None` when there is nothing to do. A failure is an event, and
    /// the session goes on.
    pub async fn step(&mut self) -> Option<Vec<Event>> {
        if self.stalled {
            return None;
        }
        let mut events = Vec::new();
        let (mut id, mut picture, mut again) = (None, None, None);
        match &self.current {
            Current::Looking(looking) => picture = Some(looking.id),
            Current::Answering(answering) => id = Some(answering.id),
            Current::Idle => match self.queue.front()? {
                Job::See { picture: seen, .. } => picture = Some(*seen),
                Job::SeeAgain { picture: seen } => picture = Some(seen.id),
                Job::Ask { id: asked, question, options, history } => {
                    id = Some(*asked);
                    let (question, options, history) = (question.clone(), options.clone(), history.clone());
                    again = Some(Job::Ask { id: *asked, question, options, history });
                }
                Job::Forget { .. } => {}
            },
        }
        if let Err(error) = self.work(&mut events).await {
            let fault = matches!(error.kind(), ErrorKind::Gpu | ErrorKind::Memory | ErrorKind::Internal);
            if fault && self.movable && self.model.on_gpu() {
                self.stall();
                // A question whose answer could not be begun.
                if let (Current::Idle, Some(job)) = (&self.current, again) {
                    self.queue.push_front(job);
                }
                events.push(Event::Stalled { kind: error.kind(), message: error.to_string() });
                return Some(events);
            }
            if matches!(self.current, Current::Answering(_)) {
                self.turns.pop();
                // A step that failed may have left the cache half written.
                self.memory.clear();
            }
            self.current = Current::Idle;
            events.push(Event::Failed { id, picture, kind: error.kind(), message: error.to_string() });
        }
        Some(events)
    }

    async fn work(&mut self, events: &mut Vec<Event>) -> Result<()> {
        match &mut self.current {
            Current::Idle => match self.queue.pop_front() {
                None => Ok(()),
                Some(Job::See { picture, source, most }) => {
                    self.current = Current::Looking(Box::new(Looking::new(picture, source, most)));
                    Ok(())
                }
                Some(Job::SeeAgain { picture }) => {
                    let (id, layout) = (picture.id, picture.layout.clone());
                    self.pictures.push(*picture);
                    events.push(Event::Sliced { picture: id, layout });
                    events.push(Event::Seen { picture: id, timings: SeeTimings::default() });
                    Ok(())
                }
                Some(Job::Ask { id, question, options, history }) => {
                    history.map_or(Ok(()), |history| self.recall(history))?;
                    self.begin_turn(id, question, options)
                }
                Some(Job::Forget { pictures }) => {
                    self.turns.clear();
                    if pictures {
                        self.pictures.clear();
                        self.memory.clear();
                    }
                    Ok(())
                }
            },
            Current::Looking(looking) => {
                if let Some(picture) = looking.step(&mut self.model, events).await? {
                    self.pictures.push(picture);
                    self.current = Current::Idle;
                }
                Ok(())
            }
            Current::Answering(answering) => {
                if let Some(answer) = answering.step(&mut self.model, &self.pictures, &mut self.memory, events).await? {
                    self.end_turn(answer.text);
                }
                Ok(())
            }
        }
    }

    /// Puts `history` in the place of the conversation so far.
    fn recall(&mut self, history: Vec<Exchange>) -> Result<()> {
        let seen = self.pictures.len();
        if !history.is_sorted_by_key(|turn| turn.pictures) || history.last().is_some_and(|turn| turn.pictures > seen) {
            return Err(Error::usage(format!(
                "The conversation so far shows pictures in another order than they were seen, or more than the {seen} that were; show them again."
            )));
        }
        let turn = |Exchange { pictures, question, answer }| Turn { pictures, question, answer: Some(answer) };
        self.turns = history.into_iter().map(turn).collect();
        Ok(())
    }

    fn begin_turn(&mut self, id: u32, question: String, options: AskOptions) -> Result<()> {
        if question.trim().is_empty() {
            return Err(Error::usage("The question is empty; type what you want to know about the picture."));
        }
        if self.pictures.is_empty() {
            return Err(Error::usage("There is no picture to ask about; choose one first."));
        }
        self.turns.push(Turn { pictures: self.pictures.len(), question, answer: None });
        let answering = self.begin_answer(id, options);
        match answering {
            Ok(answering) => self.current = Current::Answering(Box::new(answering)),
            Err(error) => {
                self.turns.pop();
                return Err(error);
            }
        }
        Ok(())
    }

    fn begin_answer(&mut self, id: u32, options: AskOptions) -> Result<Answering> {
        let (prompt, picture_tokens) = self.prompt(true)?;
        let text = &self.model.config.text;
        let resume = self.memory.resume(&prompt, text.is_recurrent());
        let usage = Usage { picture_tokens, ..Usage::default() };
        let keep = if text.is_recurrent() { self.worth_keeping(&prompt)? } else { Vec::new() };
        let answering = Answering::new(id, prompt, resume.at, keep, options, usage, &mut self.model)?;
        self.memory.go_back(&resume, &mut self.model).inspect_err(|_| self.memory.clear())?;
        Ok(answering)
    }

    /// Positions of a prompt that later ones will share: up to its last picture, and up to where the model answers, for
    /// an answer in the history need not begin as one that is asked for.
    fn worth_keeping(&self, prompt: &[Item]) -> Result<Vec<usize>> {
        let pictures = prompt.iter().rposition(|item| matches!(item, Item::PictureRow { .. })).map(|at| at + 1);
        let (closed, _) = self.prompt(false)?;
        let asked = prompt.iter().zip(&closed).take_while(|(a, b)| a == b).count();
        Ok(pictures.into_iter().chain([asked.min(prompt.len() - 1)]).collect())
    }

    fn end_turn(&mut self, answer: String) {
        if let Current::Answering(answering) = &self.current {
            let beyond = self.model.stop_ahead();
            self.memory.hold(answering.cached(), beyond);
        }
        if let Some(turn) = self.turns.last_mut() {
            turn.answer = Some(answer);
        }
        self.current = Current::Idle;
    }

    /// The whole conversation as the model reads it, up to where it answers when `open` is set, and how many of its tokens
    /// are pictures; each picture stands before the first question that came after it.
    fn prompt(&self, open: bool) -> Result<(Vec<Item>, u32)> {
        let (model, mut messages, mut shown) = (&self.model, Vec::new(), 0usize);
        for turn in &self.turns {
            let pictures = turn.pictures - std::mem::replace(&mut shown, turn.pictures);
            messages.push(model.message("user", pictures, &turn.question));
            if let Some(answer) = &turn.answer {
                messages.push(model.message("assistant", 0, answer));
            }
        }
        let shapes: Vec<_> = self.pictures.iter().map(|p| p.shape).collect();
        let tokens = self.pictures.iter().map(|p| p.tokens).sum();
        Ok((model.prompt(&messages, open, &shapes)?, tokens))
    }
}
