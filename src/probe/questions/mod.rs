//! Asks about a scene what a visitor would, and answers from the scene graph.
//!
//! Every question has exactly one right answer: a thing is named by as little as tells it apart, extremes must stand out,
//! and what is nearly level is not asked about. Where an answer is one of two, it is drawn before the question is.

mod areas;
mod attribute;
mod count;
mod phrase;
mod place;
mod presence;
mod text;

use serde::Serialize;

use super::rng::Rng;
use super::scene::{Family, Scene};

/// What a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// How many.
    Count,
    /// The colour of a thing.
    Color,
    /// The shape of the thing of a colour.
    Shape,
    /// Whether a thing is there.
    Presence,
    /// How two things lie to each other.
    Relation,
    /// The colour or shape at an edge.
    Border,
    /// The largest or smallest, or which of two is larger.
    Size,
    /// The colour of the ground.
    Background,
    /// What is written.
    Read,
    /// In which part of the picture a thing is.
    Where,
    /// Something that is not there: the answer says so.
    Absent,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Count,
        Self::Color,
        Self::Shape,
        Self::Presence,
        Self::Relation,
        Self::Border,
        Self::Size,
        Self::Background,
        Self::Read,
        Self::Where,
        Self::Absent,
    ];

    /// The name in records and reports.
    pub fn name(self) -> &'static str {
        ["count", "color", "shape", "presence", "relation", "border", "size", "background", "read", "where", "absent"]
            [self as usize]
    }
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What it asks for.
    pub kind: Kind,
    /// The question, as typed.
    pub question: String,
    /// The answer, in lower case unless it is a sentence.
    pub answer: String,
    /// How the question goes on from one of the same kind: "and the ring?".
    pub follow: Option<String>,
}

/// A conversation about the picture: mostly of one turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// What its last question asks for.
    pub kind: Kind,
    /// What each question asks for.
    #[serde(skip)]
    pub kinds: Vec<Kind>,
    /// Questions and answers.
    pub turns: Vec<[String; 2]>,
    /// Whether the answers contain text read from the picture, which the tokenizer must not meet as whole words.
    pub spell: bool,
}

/// Asks about `scene`: six to ten entries, fewer where little can be asked, none of a glyph page.
pub fn ask(scene: &Scene) -> Vec<Entry> {
    let mut rng = Rng::new(scene.seed, 2);
    let rng = &mut rng;
    if scene.family == Family::Glyphs {
        return Vec::new();
    }
    let mut asks = Vec::new();
    count::ask(rng, scene, &mut asks);
    attribute::ask(rng, scene, &mut asks);
    presence::ask(rng, scene, &mut asks);
    place::ask(rng, scene, &mut asks);
    areas::ask(rng, scene, &mut asks);
    text::ask(rng, scene, &mut asks);
    // The same words are not asked twice of one picture.
    let mut kept: Vec<Ask> = Vec::new();
    for ask in asks {
        if !kept.iter().any(|k| k.question.eq_ignore_ascii_case(&ask.question)) {
            kept.push(ask);
        }
    }
    rng.shuffle(&mut kept);
    entries(rng, kept)
}

/// Joins some of the questions into conversations.
fn entries(rng: &mut Rng, mut asks: Vec<Ask>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let wanted = rng.int(6, 10) as usize;
    while entries.len() < wanted {
        let Some(first) = asks.pop() else { break };
        let mut kind = first.kind;
        let mut spell = kind == Kind::Read;
        let mut turns = vec![[first.question, first.answer]];
        let mut kinds = vec![kind];
        if rng.chance(0.15) {
            for _ in 0..1 + rng.below(2) {
                // A follow-up leans on the question before it, so it must be of the same kind; else any other will do.
                let next = asks.iter().position(|a| a.kind == kind && a.follow.is_some() && kind != Kind::Absent);
                let leaning = next.is_some() && rng.chance(0.7);
                let Some(next) = next.filter(|_| leaning).or_else(|| asks.len().checked_sub(1)) else { break };
                let ask = asks.remove(next);
                let question = if leaning { ask.follow.unwrap_or(ask.question) } else { ask.question };
                kind = ask.kind;
                kinds.push(kind);
                spell |= kind == Kind::Read;
                turns.push([question, ask.answer]);
            }
        }
        entries.push(Entry { kind, kinds, turns, spell });
    }
    entries
}
