//! Reading.

use super::phrase::{plain, say};
use super::{Ask, Kind, count};
use crate::probe::colours;
use crate::probe::rng::Rng;
use crate::probe::scene::{Scene, Text};

const ANY: [&str; 7] = [
    "what is written",
    "what does it say",
    "what does the text say",
    "read the text.",
    "what is written here",
    "what text is in the picture",
    "what do you read",
];
const WORD: [&str; 5] =
    ["what word is written", "which word is this", "read the word.", "what is the word", "what word is in the picture"];
const NUMBER: [&str; 6] = [
    "what number is written",
    "which number is this",
    "read the number.",
    "what is the number",
    "what number is shown",
    "what number do you see",
];
const SIGN: [&str; 4] =
    ["what does the sign say", "what is on the sign", "read the sign.", "what is written on the sign"];
const PART: [&str; 5] =
    ["what is {0}", "what does {0} say", "read {0}.", "what is written on {0}", "what does it say on {0}"];
const COLOR: [&str; 4] =
    ["what color is the {0}", "what is the color of the {0}", "which color is the {0}", "what color does the {0} have"];

pub(super) fn ask(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    match scene.texts.as_slice() {
        [] => {
            if rng.chance(0.03) {
                let question = say(rng, &ANY, &[]);
                asks.push(plain(Kind::Absent, question, "There is no text."));
            }
        }
        [text] => one(rng, text, asks),
        texts => {
            several(rng, texts, asks);
            asks.push(count::words(rng, scene));
        }
    }
}

/// Case is not asked for: at most sizes "s" and "S" are the same mark.
fn answer(text: &Text) -> String {
    text.text.to_ascii_lowercase()
}

fn one(rng: &mut Rng, text: &Text, asks: &mut Vec<Ask>) {
    let specific: &[&str] = if text.is_number() { &NUMBER } else { &WORD };
    for wordings in [specific, specific, &ANY, &ANY] {
        asks.push(plain(Kind::Read, say(rng, wordings, &[]), answer(text)));
    }
    let noun = if text.is_number() { "number" } else { "word" };
    match text.sign {
        Some((colour, ..)) => {
            asks.push(plain(Kind::Read, say(rng, &SIGN, &[]), answer(text)));
            asks.push(plain(Kind::Color, say(rng, &COLOR, &["sign"]), colours::NAMES[colour]));
        }
        None => {
            let wordings = ["is there a sign", "do you see a sign"];
            if rng.chance(0.1) {
                asks.push(plain(Kind::Presence, say(rng, &wordings, &[]), "no"));
            }
        }
    }
    if text.sign.is_some() && rng.chance(0.3) {
        asks.push(plain(Kind::Presence, say(rng, &["is there a sign", "do you see a sign"], &[]), "yes"));
    }
    let name = if rng.chance(0.5) { noun } else { "text" };
    asks.push(plain(Kind::Color, say(rng, &COLOR, &[name]), colours::NAMES[text.colour]));
    // Whether it is a number or a word, both ways.
    let asked_number = rng.chance(0.5);
    let wordings: [&str; 2] =
        if asked_number { ["is it a number", "is there a number"] } else { ["is it a word", "is there a word"] };
    let truth = asked_number == text.is_number();
    if rng.chance(if text.is_number() { 0.3 } else { 0.16 }) {
        asks.push(plain(Kind::Presence, say(rng, &wordings, &[]), super::phrase::yes(truth)));
    }
}

fn several(rng: &mut Rng, texts: &[Text], asks: &mut Vec<Ask>) {
    // Lines are in the order of reading.
    let last = texts.len() - 1;
    let mut name = |rng: &mut Rng, names: &[&'static str], text: &Text| {
        let name = *rng.pick(names);
        let question = say(rng, &PART, &[name]);
        asks.push(plain(Kind::Read, question, answer(text)));
    };
    name(rng, &["the first line", "the top line", "the line at the top"], &texts[0]);
    name(rng, &["the last line", "the bottom line", "the line at the bottom"], &texts[last]);
    if texts.len() == 3 {
        name(rng, &["the middle line", "the second line", "the line in the middle"], &texts[1]);
    }
    for i in 0..texts.len() {
        let text = &texts[i];
        if texts.iter().filter(|t| t.is_number() == text.is_number()).count() == 1 {
            let wordings: &[&str] = if text.is_number() { &NUMBER } else { &WORD };
            asks.push(plain(Kind::Read, say(rng, wordings, &[]), answer(text)));
        }
        if texts.iter().filter(|t| t.colour == text.colour).count() == 1 && rng.chance(0.6) {
            let color = colours::NAMES[text.colour];
            let wordings =
                ["what does the {0} text say", "what is written in {0}", "read the {0} text.", "what is the {0} text"];
            asks.push(plain(Kind::Read, say(rng, &wordings, &[color]), answer(text)));
        }
    }
    let (i, name) = if rng.chance(0.5) { (0, "top line") } else { (last, "bottom line") };
    asks.push(plain(Kind::Color, say(rng, &COLOR, &[name]), colours::NAMES[texts[i].colour]));
}
