//! How a call's jobs are shared, and why a helper that comes late does no harm.
//!
//! A run is published by setting `untaken` to its number of jobs. **Taking comes first, reading second**: a thread takes a
//! job by counting `untaken` down, and only with a job in hand does it read what the job is. From then until the thread
//! reports it, `unfinished` cannot reach zero, so the caller cannot return, and `run` and everything that the job borrows
//! stay as they are. A helper that wakes when all jobs are taken finds zero and reads nothing; one that wakes so late that
//! another run is under way takes a job of that run, which is as good. So no generations are counted, and no helper is
//! waited for that has not taken a job.

use std::{
    any::Any,
    cell::UnsafeCell,
    hint,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Acquire, Relaxed, SeqCst},
        },
    },
};

/// How often a condition is asked for before a thread goes to sleep: for about as long as waking it would take, some tens
/// of microseconds. WebAssembly has no pause instruction, so there each turn is shorter.
const SPINS: u32 = if cfg!(target_arch = "wasm32") { 20_000 } else { 1_000 };

type Job<'a> = dyn Fn(usize, usize) + Sync + 'a;
type Panic = Box<dyn Any + Send>;

/// What the threads of a pool share.
pub struct Team {
    /// Jobs of the present run that nobody has taken.
    untaken: Line<AtomicUsize>,
    /// Jobs of the present run that nobody has reported as done.
    unfinished: Line<AtomicUsize>,
    /// Written by the caller while both counts are zero, read by a thread while it has a job in hand.
    run: UnsafeCell<Run>,
    work: Bell,
    done: Bell,
    dismissed: AtomicBool,
    bereft: AtomicBool,
    panicked: AtomicBool,
    panic: Mutex<Option<Panic>>,
}

#[derive(Clone, Copy)]
struct Run {
    job: *const Job<'static>,
    jobs: usize,
}

// SAFETY: `run` is what is not `Sync` by itself. The caller writes it while no job is in hand; a thread reads it with a
// job in hand, after an acquiring count of `untaken` that the caller's store released. `job` points to something `Sync`.
unsafe impl Sync for Team {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Team {}

impl Team {
    pub const fn new() -> Self {
        Self {
            untaken: Line(AtomicUsize::new(0)),
            unfinished: Line(AtomicUsize::new(0)),
            run: UnsafeCell::new(Run { job: &|_, _| (), jobs: 0 }),
            work: Bell::new(),
            done: Bell::new(),
            dismissed: AtomicBool::new(false),
            bereft: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
        }
    }

    /// Does all jobs with the help of those who [serve](Self::serve); an error is what a job panicked with.
    ///
    /// # Safety
    /// No other call of `run` on this team is under way.
    pub unsafe fn run(&self, jobs: usize, job: &Job<'_>) -> Result<(), Panic> {
        // SAFETY: the lifetime is only forgotten: `job` is called with a job in hand, and this function does not return
        // before all are reported. Nor does it unwind: `drain` catches what jobs throw.
        let job = unsafe { std::mem::transmute::<&Job<'_>, &'static Job<'static>>(job) };
        // SAFETY: the run before has ended, so no thread has a job in hand and none reads this.
        unsafe { *self.run.get() = Run { job, jobs } };
        self.unfinished.store(jobs, Relaxed);
        self.untaken.store(jobs, SeqCst);
        self.work.ring();

        let mine = self.drain(0);
        if self.unfinished.fetch_sub(mine, SeqCst) > mine {
            self.done.wait(|| self.unfinished.load(SeqCst) == 0 || self.bereft.load(SeqCst));
        }
        // Only WebAssembly is bereft of helpers, and there a panic does not unwind.
        assert!(!self.bereft.load(SeqCst), "a helper thread died");
        if self.panicked.swap(false, Relaxed) { locked(&self.panic).take().map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// What a helper does until the team is dismissed; `thread` is its number, from 1.
    pub fn serve(&self, thread: usize) {
        loop {
            self.work.wait(|| self.untaken.load(SeqCst) > 0 || self.dismissed.load(SeqCst));
            if self.dismissed.load(SeqCst) {
                return;
            }
            let mine = self.drain(thread);
            if mine > 0 && self.unfinished.fetch_sub(mine, SeqCst) == mine {
                self.done.ring();
            }
        }
    }

    /// Lets the helpers go.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn dismiss(&self) {
        self.dismissed.store(true, SeqCst);
        self.work.ring();
    }

    /// A helper died, maybe with a job in hand and half of its work written: nothing is to be had from this team any more.
    #[cfg(target_arch = "wasm32")]
    pub fn mourn(&self) {
        self.bereft.store(true, SeqCst);
        self.done.ring();
    }

    /// Takes and does jobs until none is left; how many were taken and are now to be reported.
    fn drain(&self, thread: usize) -> usize {
        let mut taken = 0;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            while let Some(left) = self.take() {
                taken += 1;
                // SAFETY: with a job in hand the run is under way: see the top of this file.
                let Run { job, jobs } = unsafe { *self.run.get() };
                // SAFETY: as above; what `job` points to outlives the run.
                unsafe { (*job)(jobs - left, thread) };
            }
        }));
        if let Err(panic) = outcome {
            locked(&self.panic).get_or_insert(panic);
            self.panicked.store(true, Relaxed);
            // The rest of the run is of no use. A job is still in hand, so it is this run's jobs that are taken here.
            taken += self.untaken.swap(0, SeqCst);
        }
        taken
    }

    /// Takes a job: how many were left, it included.
    fn take(&self) -> Option<usize> {
        self.untaken.fetch_update(Acquire, Relaxed, |left| left.checked_sub(1)).ok()
    }
}

/// Where threads wait for a condition that another thread makes true.
///
/// A sleeper counts itself before it asks a last time; who makes the condition true does so before looking for sleepers.
/// All four are sequentially consistent, so at least one of the two sees the other, and nobody sleeps through.
struct Bell {
    sleepers: Line<AtomicUsize>,
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    const fn new() -> Self {
        Self { sleepers: Line(AtomicUsize::new(0)), lock: Mutex::new(()), rung: Condvar::new() }
    }

    /// Returns when `ready`, for a while by asking again and again, then by sleeping.
    fn wait(&self, ready: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if ready() {
                return;
            }
            hint::spin_loop();
        }
        let mut guard = locked(&self.lock);
        self.sleepers.fetch_add(1, SeqCst);
        while !ready() {
            guard = self.rung.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }

    /// Wakes who sleeps; to be called after the condition was made true.
    fn ring(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            // With the lock had, a sleeper is either before its last question or asleep, not in between.
            drop(locked(&self.lock));
            self.rung.notify_all();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value with a cache line of its own (two on machines that fetch lines in pairs): threads that write one counter do
/// not slow down those that read its neighbour.
#[repr(align(128))]
struct Line<T>(T);

impl<T> Deref for Line<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
