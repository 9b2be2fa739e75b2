//! What an examination found, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::score::{Rate, Tally};

/// What the model looked at while it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The picture that the question is about.
    Picture,
    /// Noise: what the question alone gives away.
    Blind,
    /// Another scene's picture: what any scene gives away.
    Shuffled,
}

/// The parts of a report, in its order.
const GROUPS: [&str; 9] =
    ["all", "kind", "read", "read by length", "colours and shapes", "count by answer", "novelty", "picture", "turn"];

/// Answers counted by group and row, e.g. `("kind", "count")`.
#[derive(Debug, Default)]
pub struct Tallies(BTreeMap<(&'static str, String), Cell>);

#[derive(Debug, Default)]
struct Cell {
    by_condition: [Tally; 3],
    right_answers: BTreeMap<String, u32>,
}

impl Tallies {
    /// Counts one answer in one row. `right` is the right answer, whose frequencies give the last control.
    pub fn add(&mut self, group: &'static str, row: &str, condition: Condition, right: &str, is_right: bool) {
        let cell = self.0.entry((group, row.to_string())).or_default();
        cell.by_condition[condition as usize].add(is_right);
        if condition == Condition::Picture {
            *cell.right_answers.entry(right.to_string()).or_default() += 1;
        }
    }

    /// The rows, in the order of the groups and of their names.
    pub fn rows(&self) -> Vec<Row> {
        let rows = self.0.iter().map(|((group, name), cell)| {
            let [picture, blind, shuffled] = cell.by_condition.map(Tally::rate);
            let commonest =
                cell.right_answers.values().max().map_or(0.0, |&n| {
                    f64::from(n) / f64::from(cell.by_condition[Condition::Picture as usize].all.max(1))
                });
            Row { group, name: name.clone(), picture, blind, shuffled, commonest }
        });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_by_key(|row| GROUPS.iter().position(|group| *group == row.group));
        rows
    }
}

/// One row of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What the rows of this part divide answers by.
    pub group: &'static str,
    /// Which answers.
    pub name: String,
    /// With the right picture.
    pub picture: Option<Rate>,
    /// With noise.
    pub blind: Option<Rate>,
    /// With another scene's picture.
    pub shuffled: Option<Rate>,
    /// The share that always giving the commonest right answer would get.
    pub commonest: f64,
}

/// A question that was answered wrongly.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// The scene.
    pub seed: u64,
    /// The question.
    pub question: String,
    /// The right answer.
    pub right: String,
    /// What the model said.
    pub said: String,
}

/// A whole examination.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// Its hash.
    pub hash: String,
    /// Seed of the first scene.
    pub seed_from: u64,
    /// Scenes asked about.
    pub scenes: u64,
    /// Scenes that were wanted: more, where the examination was stopped.
    pub wanted: u64,
    /// Controls were asked of one scene in so many.
    pub controls_every: u64,
    /// Questions asked, controls included.
    pub questions: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// The rates.
    pub rows: Vec<Row>,
    /// The first mistakes, for somebody to look at.
    pub mistakes: Vec<Mistake>,
}

impl Report {
    /// The report as a Markdown table.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} ({}): {} held-out scenes from seed {}, {} questions, {:.0} s. Rates in %, with 95 % Wilson intervals. Controls on \
             one scene in {}: *blind* sees noise, *shuffled* another scene's picture; *commonest* always gives the commonest answer.\n",
            self.model, self.hash, self.scenes, self.seed_from, self.questions, self.seconds, self.controls_every
        );
        if self.scenes < self.wanted {
            let _ = writeln!(text, "Stopped early: {} scenes were wanted.\n", self.wanted);
        }
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = row.group;
                let _ = writeln!(text, "\n| {group} | questions | right | 95 % | blind | shuffled | commonest |");
                let _ = writeln!(text, "|---|--:|--:|:-:|--:|--:|--:|");
            }
            let Some(picture) = row.picture else { continue };
            let control = |rate: Option<Rate>| rate.map_or("–".into(), |rate| format!("{:.1}", rate.rate * 100.0));
            let _ = writeln!(
                text,
                "| {} | {} | **{:.1}** | {:.1}–{:.1} | {} | {} | {:.1} |",
                row.name,
                picture.all,
                picture.rate * 100.0,
                picture.low * 100.0,
                picture.high * 100.0,
                control(row.blind),
                control(row.shuffled),
                row.commonest * 100.0
            );
        }
        text
    }
}
