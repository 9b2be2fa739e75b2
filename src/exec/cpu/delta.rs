//! The gated delta rule.
//!
//! The columns of a head's state do not know of each other, so a job takes sixteen of them through all rows of the call:
//! they stay in registers' reach, 8 kB for 128 keys, and the state passes through memory once a call, not once a row.

use super::{
    math::Constants,
    simd::{Kernel, Simd},
};

/// Columns of the state that a job takes.
const WIDE: usize = 16;

/// The sizes of a call.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub rows: usize,
    /// Heads of values, and of keys.
    pub heads: usize,
    pub key_heads: usize,
    /// Channels of a head's key and of its value.
    pub key: usize,
    pub value: usize,
}

impl Shape {
    fn tiles(&self) -> usize {
        self.value.div_ceil(WIDE)
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> usize {
        self.heads * self.tiles()
    }

    /// Numbers that a job keeps.
    pub fn tile_len(&self) -> usize {
        self.key * WIDE
    }

    /// Numbers of the state: `[heads, tiles, key, WIDE]`.
    pub fn state_len(&self) -> usize {
        self.jobs() * self.tile_len()
    }
}

/// One call, matrices row by row; see [`Op::Delta`](crate::graph::Op::Delta).
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub shape: Shape,
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub step: &'a [f32],
    pub beta: &'a [f32],
    pub rate: &'a [f32],
}

/// One job of it.
pub struct Delta<'a> {
    pub call: Call<'a>,
    pub job: usize,
    /// The job's own part of the state.
    pub state: &'a mut [f32],
    /// Where the whole call's result begins; the job writes its own columns of each row.
    pub y: *mut f32,
}

impl Kernel for Delta<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Call { shape, q, k, v, step, beta, rate } = self.call;
        let Shape { rows, heads, key_heads, key, value } = shape;
        let (head, first) = (self.job / shape.tiles(), self.job % shape.tiles() * WIDE);
        let wide = WIDE.min(value - first);
        let state = &mut self.state[..key * WIDE];
        let c = Constants::new();
        for row in 0..rows {
            let from = (row * key_heads + head % key_heads) * key;
            let (q, k) = (&q[from..from + key], &k[from..from + key]);
            let from = (row * heads + head) * value + first;
            let mut columns = [0f32; WIDE];
            columns[..wide].copy_from_slice(&v[from..from + wide]);
            let at = row * heads + head;
            unsafe {
                let fall = rate[head] * step[at] * std::f32::consts::LOG2_E;
                let decay = c.exp2::<S>(S::splat(fall));
                let known = known::<S>(k, state);
                let mut delta = [S::zero(); 4];
                for (i, delta) in delta.iter_mut().enumerate() {
                    let error = S::sub(S::load(columns.as_ptr().add(4 * i)), S::mul(decay, known[i]));
                    *delta = S::mul(S::splat(beta[at]), error);
                }
                let y = learn::<S>(q, k, decay, delta, state);
                for (i, y) in y.into_iter().enumerate() {
                    S::store(columns.as_mut_ptr().add(4 * i), y);
                }
                self.y.add(from).copy_from_nonoverlapping(columns.as_ptr(), wide);
            }
        }
    }
}

/// Sᵀk: what the state answers to a key.
#[inline(always)]
unsafe fn known<S: Simd>(k: &[f32], state: &[f32]) -> [S::V; 4] {
    unsafe {
        let mut sums = [S::zero(); 4];
        for (k, s) in k.iter().zip(state.chunks_exact(WIDE)) {
            let k = S::load_splat(k);
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = S::fma(k, S::load(s.as_ptr().add(4 * i)), *sum);
            }
        }
        sums
    }
}

/// S ← decay·S + k·deltaᵀ, and the new Sᵀq.
#[inline(always)]
unsafe fn learn<S: Simd>(q: &[f32], k: &[f32], decay: S::V, delta: [S::V; 4], state: &mut [f32]) -> [S::V; 4] {
    unsafe {
        let mut sums = [S::zero(); 4];
        for ((q, k), s) in q.iter().zip(k).zip(state.chunks_exact_mut(WIDE)) {
            let (q, k) = (S::load_splat(q), S::load_splat(k));
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = s.as_mut_ptr().add(4 * i);
                let new = S::fma(k, delta[i], S::mul(decay, S::load(at)));
                S::store(at, new);
                *sum = S::fma(q, new, *sum);
            }
        }
        sums
    }
}
