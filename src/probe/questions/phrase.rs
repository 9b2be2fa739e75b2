//! Wording: paraphrases, spellings and the carelessness of people who type.

use super::{Ask, Kind};
use crate::probe::rng::Rng;

/// A question in one of its wordings. `{0}`, `{1}`… stand for `parts`; a wording that ends in a full stop is an order.
pub(super) fn say(rng: &mut Rng, wordings: &[&str], parts: &[&str]) -> String {
    let text = fill(wordings[rng.below(wordings.len())], parts);
    careless(rng, text)
}

/// `wording` with its parts filled in.
fn fill(wording: &str, parts: &[&str]) -> String {
    let mut text = wording.to_string();
    for (i, part) in parts.iter().enumerate() {
        text = text.replace(&format!("{{{i}}}"), part);
    }
    // "a orange star"
    for vowel in ["orange", "object", "area"] {
        text = text.replace(&format!(" a {vowel}"), &format!(" an {vowel}"));
    }
    text
}

/// American or British spelling, a capital or none, punctuation or none.
fn careless(rng: &mut Rng, mut text: String) -> String {
    if rng.chance(0.4) {
        text = text.replace("color", "colour");
    }
    if rng.chance(0.25) {
        text = text.replace("gray", "grey");
    }
    if rng.chance(0.7) {
        text = text[..1].to_ascii_uppercase() + &text[1..];
    }
    let order = text.ends_with('.');
    if order {
        text.pop();
    }
    match rng.weighted(&[0.8, 0.2]) {
        0 if order => text.push('.'),
        0 => text.push('?'),
        _ => {}
    }
    text
}

/// A question with nothing to lean on.
pub(super) fn plain(kind: Kind, question: String, answer: impl Into<String>) -> Ask {
    Ask { kind, question, answer: answer.into(), follow: None }
}

/// A question that can also be asked as "and {subject}?" after one of its kind.
pub(super) fn leaning(rng: &mut Rng, kind: Kind, question: String, answer: impl Into<String>, subject: &str) -> Ask {
    let follow = say(rng, &["and {0}", "what about {0}", "and {0}", "how about {0}"], &[subject]);
    Ask { kind, question, answer: answer.into(), follow: Some(follow) }
}

/// "yes" or "no".
pub(super) fn yes(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}
