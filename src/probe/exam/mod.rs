//! Examines a model on held-out scenes, through the same session that people use.

pub mod report;
pub mod score;

use web_time::Instant;

use super::compose::{HELD_OUT, Kit};
use super::questions::{Entry, Kind};
use super::rng::Rng;
use super::scene::{Novelty, Scene};
use super::shard::Sample;
use crate::error::{Error, Result};
use crate::image::Rgb;
use crate::protocol::{AskOptions, Event};
use crate::session::{Session, Source};
use report::{Condition, Mistake, Report, Tallies};
use score::is_right;

/// Scenes between two reports of progress; also those that share a picture of noise.
pub const BLOCK: u64 = 40;

/// No answer is longer.
const MAX_TOKENS: u32 = 16;

/// Mistakes kept for the report.
const MISTAKES: usize = 400;

/// An examination under way.
pub struct Exam<'a> {
    kit: &'a Kit,
    seed_from: u64,
    wanted: u64,
    controls_every: u64,
    done: u64,
    questions: u64,
    tallies: Tallies,
    mistakes: Vec<Mistake>,
    start: Instant,
}

impl<'a> Exam<'a> {
    /// An examination on `wanted` scenes from `seed_from` on, with controls on one scene in `controls_every`.
    ///
    /// # Errors
    /// A usage error for seeds that training uses.
    pub fn new(kit: &'a Kit, seed_from: u64, wanted: u64, controls_every: u64) -> Result<Self> {
        if seed_from < HELD_OUT {
            return Err(Error::usage(format!("Seeds below {HELD_OUT} are for training; examine on later ones.")));
        }
        Ok(Self {
            kit,
            seed_from,
            wanted,
            controls_every: controls_every.max(1),
            done: 0,
            questions: 0,
            tallies: Tallies::default(),
            mistakes: Vec::new(),
            start: Instant::now(),
        })
    }

    /// Asks about the next [`BLOCK`] scenes; false when there are none left.
    ///
    /// # Errors
    /// What the session reports.
    pub async fn block(&mut self, session: &mut Session) -> Result<bool> {
        let from = self.seed_from + self.done;
        let n = BLOCK.min(self.wanted - self.done);
        let mut control: Vec<(Scene, Vec<Entry>)> = Vec::new();
        let mut next = (n > 0).then(|| Sample::new(from, self.kit)).transpose()?;
        for seed in from..from + n {
            let Some(sample) = next.take() else { break };
            next = Some(Sample::new(seed + 1, self.kit)?);
            see(session, &sample.drawing.picture).await?;
            self.ask(session, &sample.scene, &sample.entries, Condition::Picture).await?;
            // The following scene's questions, while another picture is still before the model.
            if let Some(other) = next.as_ref().filter(|_| seed.is_multiple_of(self.controls_every)) {
                self.ask(session, &other.scene, &other.entries, Condition::Shuffled).await?;
                control.push((sample.scene, sample.entries));
            }
        }
        if let Some((scene, _)) = control.first() {
            see(session, &noise(scene)).await?;
        }
        for (scene, entries) in &control {
            self.ask(session, scene, entries, Condition::Blind).await?;
        }
        self.done += n;
        Ok(self.done < self.wanted)
    }

    /// What was found so far.
    pub fn report(&self, session: &Session) -> Report {
        let info = session.info();
        Report {
            model: info.name.clone(),
            hash: info.hash.clone(),
            seed_from: self.seed_from,
            scenes: self.done,
            wanted: self.wanted,
            controls_every: self.controls_every,
            questions: self.questions,
            seconds: self.start.elapsed().as_secs_f64(),
            rows: self.tallies.rows(),
            mistakes: self.mistakes.clone(),
        }
    }

    /// Scenes asked about so far.
    pub fn done(&self) -> u64 {
        self.done
    }

    async fn ask(
        &mut self,
        session: &mut Session,
        scene: &Scene,
        entries: &[Entry],
        condition: Condition,
    ) -> Result<()> {
        let views = self.kit.slicing.layout(scene.width, scene.height)?.views();
        for entry in entries {
            session.forget(false);
            for (turn, ([question, right], &kind)) in entry.turns.iter().zip(&entry.kinds).enumerate() {
                let said = answer(session, question).await?;
                self.questions += 1;
                let good = is_right(&said, right);
                for (group, row) in rows(scene, views, kind, right, turn) {
                    self.tallies.add(group, &row, condition, right, good);
                }
                if condition == Condition::Picture && !good && self.mistakes.len() < MISTAKES {
                    let (question, right) = (question.clone(), right.clone());
                    self.mistakes.push(Mistake { seed: scene.seed, question, right, said });
                }
            }
        }
        Ok(())
    }
}

/// The rows that an answer counts in.
fn rows(scene: &Scene, views: u32, kind: Kind, right: &str, turn: usize) -> Vec<(&'static str, String)> {
    let mut rows = vec![("all", "all".to_string()), ("kind", kind.name().to_string())];
    rows.push(("turn", if turn == 0 { "first question" } else { "later in a conversation" }.into()));
    rows.push(("novelty", scene.novelty.name().into()));
    // Only reading needs fonts; only colours need a palette.
    if kind == Kind::Read {
        let what = if right.bytes().all(|b| b.is_ascii_digit()) { "numbers" } else { "words" };
        rows.push(("read", format!("{what}, {} fonts", if scene.novelty == Novelty::Fonts { "new" } else { "known" })));
        rows.push(("read by length", format!("{} characters", right.len())));
    }
    if matches!(kind, Kind::Color | Kind::Shape | Kind::Border | Kind::Background) {
        let palette = if scene.novelty == Novelty::Palette { "new" } else { "known" };
        rows.push(("colours and shapes", format!("{}, {palette} palette", kind.name())));
    }
    if kind == Kind::Count {
        rows.push(("count by answer", right.to_string()));
    }
    rows.push(("picture", if views == 1 { "one view" } else { "slices and overview" }.into()));
    rows
}

/// Noise of the size of `scene`.
fn noise(scene: &Scene) -> Rgb {
    let mut rng = Rng::new(scene.seed, 60);
    let n = scene.width as usize * scene.height as usize * 3;
    Rgb { width: scene.width, height: scene.height, pixels: (0..n).map(|_| rng.below(256) as u8).collect() }
}

/// Shows `picture` in place of all others.
async fn see(session: &mut Session, picture: &Rgb) -> Result<()> {
    let pixels = picture.pixels.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    session.forget(true);
    session.see(0, Source::Rgba { width: picture.width, height: picture.height, pixels });
    while let Some(events) = session.step().await {
        for event in events {
            match event {
                Event::Seen { .. } => return Ok(()),
                Event::Failed { kind, message, .. } => return Err(Error::of_kind(kind, message)),
                _ => {}
            }
        }
    }
    Err(Error::internal("The picture was never seen; report this."))
}

/// Asks and waits for the whole answer.
async fn answer(session: &mut Session, question: &str) -> Result<String> {
    session.ask(1, question, AskOptions { max_tokens: MAX_TOKENS, ..AskOptions::default() });
    while let Some(events) = session.step().await {
        for event in events {
            match event {
                Event::Done { answer, .. } => return Ok(answer.text),
                Event::Failed { kind, message, .. } => return Err(Error::of_kind(kind, message)),
                _ => {}
            }
        }
    }
    Err(Error::internal("The answer never ended; report this."))
}
