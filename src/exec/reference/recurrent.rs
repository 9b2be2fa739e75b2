//! The operations that remember, in plain loops over f32, and what they remember.

use std::collections::BTreeMap;

use crate::graph::StateId;

/// All states of a model, and copies of them that were kept.
#[derive(Default)]
pub struct States {
    now: BTreeMap<u32, Vec<f32>>,
    kept: BTreeMap<usize, BTreeMap<u32, Vec<f32>>>,
}

impl States {
    /// The state of an operation in a call at `position`: zeros at the beginning; `None` when there is no such state.
    pub fn at(&mut self, id: StateId, len: usize, position: usize) -> Option<&mut [f32]> {
        if position == 0 {
            self.now.insert(id.0, vec![0.0; len]);
        }
        self.now.get_mut(&id.0).filter(|state| state.len() == len).map(Vec::as_mut_slice)
    }

    pub fn keep(&mut self, slot: usize) {
        self.kept.insert(slot, self.now.clone());
    }

    /// Whether there was something kept.
    pub fn restore(&mut self, slot: usize) -> bool {
        let kept = self.kept.get(&slot).cloned();
        kept.map(|kept| self.now = kept).is_some()
    }
}

/// [`Op::Convolve`](crate::graph::Op::Convolve) for x `[rows, cols]` and `weight` `[cols, taps]`; `before` holds the
/// taps − 1 rows before x.
pub fn convolve(x: &[f32], weight: &[f32], cols: usize, before: &mut [f32]) -> Vec<f32> {
    let taps = weight.len() / cols;
    let all = [&*before, x].concat();
    let y = (0..x.len()).map(|at| (0..taps).map(|tap| weight[at % cols * taps + tap] * all[at + tap * cols]).sum());
    let y = y.collect();
    before.copy_from_slice(&all[x.len()..]);
    y
}

/// [`Op::Delta`](crate::graph::Op::Delta), each matrix row by row.
pub struct Delta<'a> {
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub step: &'a [f32],
    pub beta: &'a [f32],
    pub rate: &'a [f32],
    /// Columns of k and of v.
    pub cols: [usize; 2],
    pub key_heads: usize,
}

impl Delta<'_> {
    /// Numbers of the state: `[heads, key, value]`.
    pub fn state_len(&self) -> usize {
        self.cols[0] / self.key_heads * self.cols[1]
    }

    pub fn run(&self, state: &mut [f32]) -> Vec<f32> {
        let (heads, [key_cols, cols]) = (self.rate.len(), self.cols);
        let (key, value) = (key_cols / self.key_heads, cols / heads);
        let mut y = vec![0.0; self.v.len()];
        for row in 0..self.v.len() / cols {
            for head in 0..heads {
                let from = row * key_cols + head % self.key_heads * key;
                let (q, k) = (&self.q[from..from + key], &self.k[from..from + key]);
                let from = row * cols + head * value;
                let (v, y) = (&self.v[from..from + value], &mut y[from..from + value]);
                let at = row * heads + head;
                let (decay, beta) = ((self.rate[head] * self.step[at]).exp(), self.beta[at]);
                let state = &mut state[head * key * value..][..key * value];
                state.iter_mut().for_each(|s| *s *= decay);
                for column in 0..value {
                    let known: f32 = (0..key).map(|i| state[i * value + column] * k[i]).sum();
                    let delta = beta * (v[column] - known);
                    for i in 0..key {
                        let s = &mut state[i * value + column];
                        *s += k[i] * delta;
                        y[column] += *s * q[i];
                    }
                }
            }
        }
        y
    }
}
