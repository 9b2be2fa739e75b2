//! When to do without helpers for a while.
//!
//! A helper that took a job and then lost its core to another program keeps the caller waiting for a slice of the
//! system's time, some milliseconds, which is longer than most runs take alone; and a caller that shares its own core
//! with such a program fares no better. Nothing says beforehand that it will happen; but a neighbour that has been there
//! is likely to be there still. So what work takes with helpers is held against what such work takes without, which is
//! measured now and then ([`Habits`]), and when helpers have cost more than they saved, the caller works alone: for a
//! while, and for longer each time.

use std::time::Duration;

use web_time::Instant;

/// Work that takes so many seconds alone, and less than the next, has an account of its own: what long work gains is lost by
/// short work in the same company.
const LENGTHS: [f64; 3] = [0.0, 1e-3, 8e-3];
/// How much more than they saved helpers may cost before they are done without, in seconds, for work of each length.
const CREDIT: [f64; 3] = [1e-3, 2e-3, 8e-3];
/// How many times as much is remembered in their favour: on a machine that is idle but for a moment now and then, what that
/// moment costs is soon saved again, and must not put an end to it.
const MEMORY: f64 = 16.0;
/// How long to work alone at first, and at most.
const SHORTEST: Duration = Duration::from_millis(16);
const LONGEST: Duration = Duration::from_millis(512);
/// One in so many pieces of work of a kind is done alone, to learn how long that takes: the second first.
const EVERY: u32 = 64;
/// How many pieces of work are done alone before the clock is read again.
const UNREAD: u32 = 8;

/// The account of work of one length.
#[derive(Clone, Debug)]
struct Patience {
    alone_until: Option<Instant>,
    /// How long the next time alone will last.
    next: Duration,
    /// Seconds saved, less seconds lost.
    balance: f64,
    credit: f64,
}

impl Patience {
    fn new(credit: f64) -> Self {
        Self { alone_until: None, next: SHORTEST, balance: 0.0, credit }
    }

    fn is_alone(&mut self, now: Instant) -> bool {
        self.alone_until = self.alone_until.filter(|&until| until > now);
        self.alone_until.is_some()
    }

    /// Work that has ended `now` took so long with helpers, which is so many seconds less than without.
    fn learn(&mut self, now: Instant, took: Duration, saved: f64) {
        self.balance = (self.balance + saved).min(MEMORY * self.credit);
        if self.balance < -self.credit {
            self.balance = 0.0;
            self.alone_until = Some(now + self.next);
            self.next = (self.next * 4).min(LONGEST);
        } else {
            // As much as was worked together is taken off again.
            self.next = self.next.saturating_sub(took / 4).max(SHORTEST);
        }
    }
}

/// How long work of each kind takes alone, and whether it is to be done so.
#[derive(Debug)]
pub struct Habits {
    kinds: Vec<Habit>,
    patience: [Patience; 3],
    /// Pieces of work done alone since the clock was read.
    unread: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    /// Seconds for each row, alone; 0 while nobody knows.
    row: f64,
    met: u32,
}

/// A piece of work that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    kind: usize,
    rows: usize,
    /// When, if that is to be learned from.
    at: Option<Instant>,
    /// Whether it is to be done without helpers.
    pub alone: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { kinds: Vec::new(), patience: CREDIT.map(Patience::new), unread: 0 }
    }
}

impl Habits {
    /// Work of a kind begins that is about so many rows.
    pub fn begin(&mut self, kind: usize, rows: usize, clock: impl Fn() -> Instant) -> Begun {
        if self.kinds.len() <= kind {
            self.kinds.resize(kind + 1, Habit::default());
        }
        let habit = &mut self.kinds[kind];
        habit.met = habit.met.wrapping_add(1);
        let measured = habit.met % EVERY == 2;
        let patience = &mut self.patience[length(habit.row * rows as f64)];
        if patience.alone_until.is_some() && !measured && self.unread < UNREAD {
            self.unread += 1;
            return Begun { kind, rows, at: None, alone: true };
        }
        let now = clock();
        self.unread = 0;
        Begun { kind, rows, at: Some(now), alone: measured || patience.is_alone(now) }
    }

    /// It has ended.
    pub fn end(&mut self, begun: Begun, clock: impl Fn() -> Instant) {
        let Some(at) = begun.at else { return };
        let now = clock();
        let (took, rows) = (now - at, begun.rows.max(1) as f64);
        let (row, habit) = (took.as_secs_f64() / rows, &mut self.kinds[begun.kind]);
        if !begun.alone {
            if habit.row > 0.0 {
                let alone = habit.row * rows;
                self.patience[length(alone)].learn(now, took, alone - took.as_secs_f64());
            }
        } else if habit.row == 0.0 {
            habit.row = row;
        } else {
            // What disturbs it makes it longer, never shorter.
            habit.row += (row - habit.row) * if row < habit.row { 0.5 } else { 1.0 / 16.0 };
        }
    }
}

/// Which of [`LENGTHS`] work of so many seconds has.
fn length(seconds: f64) -> usize {
    LENGTHS.iter().rposition(|&least| seconds >= least).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const US: Duration = Duration::from_micros(1);

    /// Does work of a kind that takes `alone`, or `together`; how often it was done alone.
    fn work(
        habits: &mut Habits,
        now: &mut Instant,
        kind: usize,
        times: usize,
        alone: Duration,
        together: Duration,
    ) -> usize {
        let mut count = 0;
        for _ in 0..times {
            let before = *now;
            let begun = habits.begin(kind, 1, || before);
            *now += if begun.alone { alone } else { together };
            let after = *now;
            habits.end(begun, || after);
            count += usize::from(begun.alone);
        }
        count
    }

    #[test]
    fn helpers_that_cost_more_than_they_save_are_done_without() {
        let (mut habits, mut now) = (Habits::default(), Instant::now());
        let (start, times) = (now, 20_000);
        let alone = work(&mut habits, &mut now, 0, times, 100 * US, 3 * MS);
        // Trying them again costs little.
        assert!(alone > times * 99 / 100, "{alone} alone");
        assert!(now - start < 100 * US * (times as u32 * 103 / 100), "{:?}", now - start);
        // The neighbour is gone.
        work(&mut habits, &mut now, 0, 60_000, 100 * US, 50 * US);
        let alone = work(&mut habits, &mut now, 0, times, 100 * US, 50 * US);
        assert!(alone <= times / EVERY as usize + 1, "{alone} alone");
    }

    #[test]
    fn helpers_that_save_are_called_but_for_measuring() {
        let (mut habits, mut now) = (Habits::default(), Instant::now());
        let alone = work(&mut habits, &mut now, 0, 640, MS, MS * 6 / 10);
        assert_eq!(alone, 10);
        // Held up now and then, they still save more than they cost.
        for _ in 0..10 {
            work(&mut habits, &mut now, 0, 1, MS, 8 * MS);
            assert_eq!(work(&mut habits, &mut now, 0, 63, MS, MS * 6 / 10), 1);
        }
    }

    #[test]
    fn long_work_keeps_the_company_that_short_work_shuns() {
        let (mut habits, mut now) = (Habits::default(), Instant::now());
        let mut alone = [0; 2];
        for _ in 0..400 {
            alone[0] += work(&mut habits, &mut now, 0, 50, 40 * US, 400 * US);
            alone[1] += work(&mut habits, &mut now, 1, 1, 30 * MS, 20 * MS);
        }
        assert!(alone[0] > 400 * 50 * 9 / 10, "{alone:?}");
        // Met for the first time, nobody knows yet that it is long.
        assert!(alone[1] <= 400 / EVERY as usize + 2, "{alone:?}");
    }

    #[test]
    fn peace_shortens_the_next_time_alone() {
        let (mut patience, mut now) = (Patience::new(0.5e-3), Instant::now());
        for expected in [16, 64, 256, 512, 512] {
            patience.learn(now, 4 * MS, -3e-3);
            assert!(patience.is_alone(now + (expected - 1) * MS));
            now += expected * MS;
            assert!(!patience.is_alone(now));
        }
        for _ in 0..4 * LONGEST.as_millis() {
            patience.learn(now, MS, 1e-3);
        }
        // What they have saved is in their favour.
        patience.learn(now, 8 * MS, -0.5e-3 * MEMORY);
        assert!(!patience.is_alone(now));
        patience.learn(now, 2 * MS, -1e-3);
        assert!(patience.is_alone(now + SHORTEST - MS) && !patience.is_alone(now + SHORTEST));
    }
}
