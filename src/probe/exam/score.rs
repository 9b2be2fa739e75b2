//! When an answer is right, and how sure a rate is.

use serde::Serialize;

/// An answer as it is compared: lower case, no punctuation, number words as digits, "gray" for "grey".
pub fn normalise(answer: &str) -> String {
    const NUMBERS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let kept: String = answer.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace()).collect();
    let words =
        kept.split_whitespace().map(str::to_lowercase).map(|word| match NUMBERS.iter().position(|n| *n == word) {
            Some(digit) => digit.to_string(),
            None if word == "grey" => "gray".into(),
            None => word,
        });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether `said` is the answer `right`.
pub fn is_right(said: &str, right: &str) -> bool {
    normalise(said) == normalise(right)
}

/// Right answers among all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Right answers.
    pub right: u32,
    /// All answers.
    pub all: u32,
}

impl Tally {
    /// Counts one more answer.
    pub fn add(&mut self, right: bool) {
        self.right += u32::from(right);
        self.all += 1;
    }

    /// The rate with its 95 % interval; none of nothing.
    pub fn rate(self) -> Option<Rate> {
        (self.all > 0).then(|| {
            let [low, high] = wilson(self.right, self.all);
            Rate { right: self.right, all: self.all, rate: f64::from(self.right) / f64::from(self.all), low, high }
        })
    }
}

/// A rate and its 95 % interval (Wilson, 1927).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Right answers.
    pub right: u32,
    /// All answers.
    pub all: u32,
    /// Their ratio.
    pub rate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Wilson's score interval at 95 %: it stays within 0…1 and holds for few answers and rates near either end.
fn wilson(right: u32, all: u32) -> [f64; 2] {
    const Z: f64 = 1.959_964;
    let (n, p) = (f64::from(all), f64::from(right) / f64::from(all));
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let reach = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - reach).max(0.0), (middle + reach).min(1.0)]
}
