//! The threads, the instructions they run, and what they need to write on while they do.

use std::{cell::UnsafeCell, ops::Range};

use super::{
    attend::Attention,
    delta::{self, Delta},
    gemm::Panel,
    isa::Isa,
    pool::Pool,
    quantise::{Row, Tiles},
};
use crate::graph::Value;

/// Elements that are worth another thread's while.
pub const PART: usize = 16 << 10;

/// What every operation works with. Nothing in it shrinks: the second step like another allocates nothing.
pub struct Machine {
    pub isa: Isa,
    pub pool: Pool,
    pub row: Row,
    pub tiles: Tiles,
    /// The value whose rows `row` or `tiles` hold, so that layers that read the same value share them.
    pub quantised: Option<Value>,
    pub panels: PerThread<Panels>,
    /// Keys and values of an attention.
    packed: Vec<f32>,
    /// Scores and such, of each thread.
    scores: PerThread<Vec<f32>>,
}

impl Machine {
    pub fn new(isa: Isa, pool: Pool) -> Self {
        let panels = PerThread::new(pool.threads(), Panels::default);
        let scores = PerThread::new(pool.threads(), Vec::new);
        Self {
            isa,
            pool,
            row: Row::default(),
            tiles: Tiles::default(),
            quantised: None,
            panels,
            packed: Vec::new(),
            scores,
        }
    }

    /// Gives `job` all of y in parts of whole rows, on all threads where there is enough of it: which elements, and
    /// they themselves.
    pub fn by_rows(&self, y: &mut [f32], cols: usize, job: &(dyn Fn(Range<usize>, &mut [f32]) + Sync)) {
        let (len, part) = (y.len(), (PART / cols.max(1)).max(1) * cols);
        let y = Shared::new(y);
        self.pool.run(len.div_ceil(part.max(1)), &|at, _| {
            let range = at * part..len.min((at + 1) * part);
            // Each job has a part of its own.
            let y = unsafe { std::slice::from_raw_parts_mut(y.at(range.start), range.len()) };
            job(range, y);
        });
    }

    /// Attends, on all threads.
    pub fn attend(&mut self, attention: &Attention, y: &mut [f32]) {
        if y.is_empty() {
            return;
        }
        let Self { isa, pool, packed, scores, .. } = self;
        grow(packed, attention.shape.packed());
        // Keys are more with every token: room for twice as many lasts for as many tokens again.
        scores.each().for_each(|scores| grow(scores, attention.shape.scratch().next_power_of_two()));
        let (into, out) = (Shared::new(packed), Shared::new(y));
        for group in attention.groups() {
            // Each job writes what it packs or attends for; each thread has scores of its own.
            pool.run(attention.packs(&group), &|job, _| unsafe { attention.pack(*isa, &group, job, into.at(0)) });
            pool.run(attention.jobs(&group), &|job, thread| unsafe {
                attention.attend(*isa, &group, job, packed, scores.of(thread), out.at(0));
            });
        }
    }

    /// Takes the gated delta rule through all rows, on all threads.
    pub fn delta(&self, call: &delta::Call, state: &mut [f32], y: &mut [f32]) {
        let (isa, own, state, y) = (self.isa, call.shape.tile_len(), Shared::new(state), Shared::new(y));
        // Each job has a part of the state and columns of the result to itself.
        self.pool.run(call.shape.jobs(), &|job, _| unsafe {
            let state = std::slice::from_raw_parts_mut(state.at(job * own), own);
            isa.run(Delta { call: *call, job, state, y: y.at(0) });
        });
    }
}

fn grow(v: &mut Vec<f32>, len: usize) {
    if v.len() < len {
        v.resize(len, 0.0);
    }
}

/// Rows of weights that a thread has unpacked.
#[derive(Default)]
pub struct Panels {
    pub codes: Panel,
    /// `[tiles, SUMS]`
    pub sums: Vec<f32>,
    pub floats: Floats,
}

/// Eight rows of weights as f32.
#[derive(Default)]
pub struct Floats {
    /// `[k, 8]`
    pub panel: Vec<f32>,
    /// `[8, k]`
    pub rows: Vec<f32>,
}

impl Floats {
    /// Makes room for rows of k weights; more is never given back.
    pub fn reserve(&mut self, k: usize) {
        if self.panel.len() < 8 * k {
            self.panel.resize(8 * k, 0.0);
            self.rows.resize(8 * k, 0.0);
        }
    }
}

/// One of something for each thread of a pool.
pub struct PerThread<T>(Vec<UnsafeCell<T>>);

// Each thread reaches its own alone.
unsafe impl<T: Send> Sync for PerThread<T> {}

impl<T> PerThread<T> {
    pub fn new(threads: usize, make: impl Fn() -> T) -> Self {
        Self((0..threads).map(|_| UnsafeCell::new(make())).collect())
    }

    pub fn each(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(UnsafeCell::get_mut)
    }

    /// The thread's own.
    ///
    /// # Safety
    /// `thread` is the number the pool gave to the job that calls, and the reference does not outlive the job.
    #[allow(clippy::mut_from_ref, reason = "no two jobs that run at the same time have the same thread")]
    pub unsafe fn of(&self, thread: usize) -> &mut T {
        unsafe { &mut *self.0[thread].get() }
    }
}

/// A matrix that the jobs of one call write, each its own part.
#[derive(Clone, Copy)]
pub struct Shared<T>(*mut T);

unsafe impl<T: Send> Send for Shared<T> {}
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(of: &mut [T]) -> Self {
        Self(of.as_mut_ptr())
    }

    /// A pointer to element `at`.
    ///
    /// # Safety
    /// There must be such an element, or one before it.
    pub unsafe fn at(self, at: usize) -> *mut T {
        unsafe { self.0.add(at) }
    }
}
