//! What scenes say.

use super::rng::Rng;

/// The words of training and those held out of it.
pub struct Words {
    train: Vec<&'static str>,
    test: Vec<&'static str>,
}

impl Words {
    /// The committed list; every eighth word is held out.
    pub fn committed() -> Self {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (i, word) in include_str!("../../assets/words.txt").lines().enumerate() {
            if i % 8 == 5 { test.push(word) } else { train.push(word) }
        }
        Self { train, test }
    }

    /// A word, a number, or letters that are no word, of at most `most` characters. Training has more of the last, so
    /// that characters are read rather than words guessed.
    pub fn draw(&self, rng: &mut Rng, held_out: bool, most: usize) -> String {
        let shares = if held_out { [0.56, 0.36, 0.08] } else { [0.42, 0.34, 0.24] };
        match rng.weighted(&shares) {
            0 => self.word(rng, held_out, most),
            1 => number(rng, most),
            _ => letters(rng, most),
        }
    }

    /// A word in one of the cases that words are written in.
    pub fn word(&self, rng: &mut Rng, held_out: bool, most: usize) -> String {
        let list = if held_out { &self.test } else { &self.train };
        let fitting = (0..50).map(|_| *rng.pick(list)).find(|word| word.len() <= most);
        cased(rng, fitting.unwrap_or(if held_out { "sky" } else { "no" }))
    }
}

fn cased(rng: &mut Rng, word: &str) -> String {
    match rng.weighted(&[0.38, 0.4, 0.22]) {
        0 => word.to_string(),
        1 => word.to_ascii_uppercase(),
        _ => word[..1].to_ascii_uppercase() + &word[1..],
    }
}

/// One to `most` digits, no leading zero; short ones more often.
fn number(rng: &mut Rng, most: usize) -> String {
    let digits = 1 + rng.weighted(&[0.16, 0.24, 0.22, 0.2, 0.1, 0.08][..most.clamp(1, 6)]);
    let first = if digits == 1 { rng.int(0, 9) } else { rng.int(1, 9) };
    std::iter::once(first).chain((1..digits).map(|_| rng.int(0, 9))).map(|d| (b'0' + d as u8) as char).collect()
}

/// Two to `most` letters of one case.
fn letters(rng: &mut Rng, most: usize) -> String {
    let n = 2 + rng.below(most.clamp(2, 6) - 1);
    let first = if rng.chance(0.5) { b'A' } else { b'a' };
    (0..n).map(|_| (first + rng.below(26) as u8) as char).collect()
}
