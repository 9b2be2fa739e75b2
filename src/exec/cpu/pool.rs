//! A few threads that share the jobs of one call: fork, join, and nothing in between.
//!
//! An executor runs hundreds of short calls a second on every core, so what a call costs before its first job and after
//! its last one counts, and so does what it costs when another program has the core. Jobs are therefore taken one by one
//! (see [`team`]), a thread without work spins only as long as waking it would take, and the caller waits for jobs that
//! were taken, never for threads; and whoever is held up by helpers does without them for a while (see [`patience`]). Two
//! threads beside a busy neighbour are at worst as fast as one.

mod patience;
mod team;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};

use hired::Hired;
use patience::{Begun, Habits};
use team::Team;
use web_time::Instant;

/// A caller and its helpers.
///
/// A pool is not [`Sync`], so a job cannot use the pool that runs it.
pub struct Pool {
    hired: Hired,
    running: Cell<bool>,
    /// Whether jobs are done without helpers.
    alone: Cell<bool>,
    habits: RefCell<Habits>,
}

impl Pool {
    /// A pool of `threads`, the caller among them; of fewer where the machine does not give so many.
    ///
    /// In the browser threads are workers, which only JavaScript can start: the pool has those that have [arrived](arrive)
    /// and no more, and where the module was compiled without threads, the caller alone.
    pub fn new(threads: usize) -> Self {
        let hired = Hired::new(threads.saturating_sub(1));
        Self { hired, running: Cell::new(false), alone: Cell::new(false), habits: RefCell::default() }
    }

    /// How many threads share the jobs, the caller among them; at least 1.
    pub fn threads(&self) -> usize {
        1 + self.hired.helpers
    }

    /// Work of a kind begins, about so many rows: its [runs](Self::run) are done with helpers, or all without, whichever was
    /// faster lately. Nothing where there are no helpers.
    pub fn begin(&self, kind: usize, rows: usize) -> Option<Begun> {
        if self.hired.helpers == 0 {
            return None;
        }
        let begun = self.habits.borrow_mut().begin(kind, rows, Instant::now);
        self.alone.set(begun.alone);
        Some(begun)
    }

    /// It has ended.
    pub fn end(&self, begun: Option<Begun>) {
        self.alone.set(false);
        if let Some(begun) = begun {
            self.habits.borrow_mut().end(begun, Instant::now);
        }
    }

    /// Calls `job(number, thread)` for each number below `jobs` and returns when all are done.
    ///
    /// Jobs begin in order, on whichever thread is free; `thread` is below [`threads`](Self::threads), and no two jobs
    /// that run at the same time have the same. Nothing is allocated.
    ///
    /// # Panics
    /// When a job does, with the same message, after those begun have ended; jobs not yet begun are left out.
    pub fn run(&self, jobs: usize, job: &(dyn Fn(usize, usize) + Sync)) {
        let alone = || (0..jobs).for_each(|number| job(number, 0));
        if jobs < 2 || self.hired.helpers == 0 || self.alone.get() {
            return alone();
        }
        assert!(!self.running.replace(true), "a job may not use the pool that runs it");
        // SAFETY: the pool is not `Sync` and `running` was false: no other call is under way in this team.
        let outcome = unsafe { self.hired.team.run(jobs, job) };
        self.running.set(false);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod hired {
    use std::{
        sync::Arc,
        thread::{Builder, JoinHandle},
    };

    use super::Team;

    /// A team of threads of our own, which end with it.
    pub struct Hired {
        pub team: Arc<Team>,
        handles: Vec<JoinHandle<()>>,
        pub helpers: usize,
    }

    impl Hired {
        pub fn new(helpers: usize) -> Self {
            let team = Arc::new(Team::new());
            let start = |thread| {
                let team = team.clone();
                Builder::new().name(format!("loupe-{thread}")).spawn(move || team.serve(thread)).ok()
            };
            let handles: Vec<_> = (1..=helpers).map_while(start).collect();
            Self { helpers: handles.len(), team, handles }
        }
    }

    impl Drop for Hired {
        fn drop(&mut self) {
            self.team.dismiss();
            for handle in self.handles.drain(..) {
                // A helper catches what its jobs throw; it has nothing to tell.
                handle.join().ok();
            }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod hired {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    use super::Team;

    /// The one team of this module: its helpers are workers that JavaScript started.
    pub static TEAM: Team = Team::new();
    /// Helpers that have arrived, and [`CLOSED`] once a pool has counted them.
    pub static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    /// Nobody is let in any more.
    pub const CLOSED: usize = 1 << 31;
    static HIRED: AtomicBool = AtomicBool::new(false);

    /// The module's team, while no other pool has it.
    pub struct Hired {
        pub team: &'static Team,
        mine: bool,
        pub helpers: usize,
    }

    impl Hired {
        pub fn new(helpers: usize) -> Self {
            let arrived = ARRIVED.fetch_or(CLOSED, SeqCst) & !CLOSED;
            // All or none: a helper beyond those asked for would take jobs under a number nobody reckons with.
            let mine = arrived > 0 && arrived <= helpers && !HIRED.swap(true, SeqCst);
            Self { team: &TEAM, mine, helpers: if mine { arrived } else { 0 } }
        }
    }

    impl Drop for Hired {
        fn drop(&mut self) {
            if self.mine {
                HIRED.store(false, SeqCst);
            }
        }
    }
}

/// A worker that shares this module's memory reports to the pool; its number, for [`help`], or none when the pool has
/// been made without it.
#[cfg(target_arch = "wasm32")]
pub fn arrive() -> Option<usize> {
    use std::sync::atomic::Ordering::SeqCst;
    let open = |arrived| (arrived & hired::CLOSED == 0).then_some(arrived + 1);
    hired::ARRIVED.fetch_update(SeqCst, SeqCst, open).ok().map(|before| before + 1)
}

/// What a worker that has arrived does for the rest of its life.
#[cfg(target_arch = "wasm32")]
pub fn help(thread: usize) {
    hired::TEAM.serve(thread);
}

/// To be called when a helper has trapped: the run under way panics instead of waiting for ever, or else the next one.
#[cfg(target_arch = "wasm32")]
pub fn mourn() {
    hired::TEAM.mourn();
}
