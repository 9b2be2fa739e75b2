//! When to do without helpers for a while.
//!
//! A helper that took a job and then lost its core to another program keeps the caller waiting for a slice of the
//! system's time, some milliseconds, which is longer than most runs take alone. Nothing says beforehand that it will
//! happen; but a neighbour that has been there is likely to be there still. So a caller keeps account of what helpers
//! save it and what they cost it, and when they have cost more than they saved, it works alone: for a while, and for
//! longer each time.

use std::time::Duration;

use web_time::Instant;

/// How much more than they saved helpers may cost before they are done without, in seconds.
const CREDIT: f64 = 0.5e-3;
/// How much of what they have saved is remembered in their favour, in seconds.
const SAVINGS: f64 = 1e-3;
/// What it costs to call for helpers, in seconds.
const CALL: f64 = 2e-6;
/// How long to work alone at first, and at most.
const SHORTEST: Duration = Duration::from_millis(16);
const LONGEST: Duration = Duration::from_millis(512);

/// The account.
#[derive(Debug)]
pub struct Patience {
    alone_until: Option<Instant>,
    /// How long the next time alone will last.
    next: Duration,
    /// Seconds saved, less seconds lost.
    balance: f64,
}

/// A run that helpers were called for.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// How long it took.
    pub took: Duration,
    /// How much of that the caller waited at the end, with nothing left to take.
    pub waited: Duration,
    /// How many of the jobs were not the caller's.
    pub helped: f64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { alone_until: None, next: SHORTEST, balance: 0.0 }
    }
}

impl Patience {
    /// Whether to work alone in a run that begins `now`.
    pub fn is_alone(&mut self, now: Instant) -> bool {
        if self.alone_until.is_some_and(|until| until <= now) {
            self.alone_until = None;
        }
        self.alone_until.is_some()
    }

    /// Learns from a run that has ended `now`.
    pub fn learn(&mut self, now: Instant, run: Shared) {
        let (waited, worked) = (run.waited.as_secs_f64(), run.took.saturating_sub(run.waited).as_secs_f64());
        // Alone, the caller would have worked as long for each of the others' jobs as for its own.
        let saved = worked * run.helped / (1.0 - run.helped).max(0.1);
        self.balance = (self.balance + saved - waited - CALL).min(SAVINGS);
        if self.balance < -CREDIT {
            self.balance = 0.0;
            self.alone_until = Some(now + self.next);
            self.next = (self.next * 4).min(LONGEST);
        } else {
            // As much as was worked together is taken off again.
            self.next = self.next.saturating_sub(run.took / 4).max(SHORTEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A run of two threads that shared the work well until one of them was held up.
    fn held_up(by: Duration) -> Shared {
        Shared { took: MS + by, waited: by, helped: 0.5 }
    }

    #[test]
    fn helpers_that_cost_more_than_they_save_are_done_without_for_longer_each_time() {
        let (mut patience, mut now) = (Patience::default(), Instant::now());
        for expected in [16, 64, 256, 512, 512] {
            assert!(!patience.is_alone(now));
            patience.learn(now, held_up(4 * MS));
            assert!(patience.is_alone(now + (expected - 1) * MS));
            now += expected * MS;
        }
        assert!(!patience.is_alone(now));
    }

    #[test]
    fn helpers_that_never_come_cost_a_call_each_time() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        let runs = (0..10_000).take_while(|_| {
            patience.learn(now, Shared { took: MS, waited: Duration::ZERO, helped: 0.0 });
            !patience.is_alone(now)
        });
        assert_eq!(runs.count(), (CREDIT / CALL) as usize);
    }

    #[test]
    fn a_wait_that_is_made_up_for_is_no_reason() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        for _ in 0..1000 {
            patience.learn(now, held_up(MS * 9 / 10));
            assert!(!patience.is_alone(now));
        }
    }

    #[test]
    fn peace_shortens_the_next_time_alone() {
        let (mut patience, mut now) = (Patience::default(), Instant::now());
        for _ in 0..4 {
            patience.learn(now, held_up(4 * MS));
            now += LONGEST;
        }
        for _ in 0..4 * LONGEST.as_millis() {
            patience.learn(now, held_up(Duration::ZERO));
        }
        patience.learn(now, held_up(4 * MS));
        assert!(patience.is_alone(now + SHORTEST - MS));
        assert!(!patience.is_alone(now + SHORTEST));
    }
}
