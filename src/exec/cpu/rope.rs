//! Rotary positions.

use super::simd::{Kernel, Simd};
use crate::graph::{RopeKind, Turn};

/// Positions by which a table grows.
const STEP: usize = 256;

/// The cosines and sines of every position so far, for each way a model turns its heads (one, as a rule).
#[derive(Default)]
pub struct Tables {
    tables: Vec<Table>,
}

struct Table {
    kind: RopeKind,
    turned: usize,
    base: f32,
    /// Which weight divides the angles, and its numbers.
    factors: Option<(usize, Vec<f32>)>,
    /// A row for each position. Halves: `[turned/2]` cosines, then sines. Pairs: as many twice over, so that they fit the
    /// pairs: c c, and −s s.
    rows: Vec<f32>,
}

impl Table {
    fn width(&self) -> usize {
        match self.kind {
            RopeKind::Halves => self.turned,
            RopeKind::Pairs => 2 * self.turned,
        }
    }
}

impl Tables {
    /// The rows of `count` positions from `position` on; `factors` are those of a turn, by the weight's place. Allocates only when a position is reached for the first time,
    /// and then for some hundred positions more.
    pub fn rows(
        &mut self,
        Turn { kind, turned, base, .. }: Turn,
        factors: Option<(usize, &[f32])>,
        position: usize,
        count: usize,
    ) -> &[f32] {
        let found = self.tables.iter().position(|t| {
            let by = t.factors.as_ref().map(|(weight, _)| *weight);
            (t.kind, t.turned, t.base, by) == (kind, turned, base, factors.map(|(weight, _)| weight))
        });
        let at = found.unwrap_or_else(|| {
            let factors = factors.map(|(weight, factors)| (weight, factors.to_vec()));
            self.tables.push(Table { kind, turned, base, factors, rows: vec![] });
            self.tables.len() - 1
        });
        let table = &mut self.tables[at];
        let width = table.width();
        let end = (position + count) * width;
        if table.rows.len() < end {
            let from = table.rows.len().checked_div(width).unwrap_or_default();
            let to = (position + count).next_multiple_of(STEP);
            table.rows.reserve_exact((to - from) * width);
            (from..to).for_each(|position| table.push(position));
        }
        &table.rows[position * width..end]
    }
}

impl Table {
    fn push(&mut self, position: usize) {
        let pairs = self.turned / 2;
        // The angle is rounded to f32, as it is wherever models are trained.
        let angle = |i: usize| {
            let by = self.factors.as_ref().map_or(1.0, |(_, factors)| f64::from(factors[i]));
            let turn = f64::from(self.base).powf(-2.0 * i as f64 / self.turned as f64) / by;
            f64::from((position as f64 * turn) as f32)
        };
        match self.kind {
            RopeKind::Halves => {
                self.rows.extend((0..pairs).map(|i| angle(i).cos() as f32));
                self.rows.extend((0..pairs).map(|i| angle(i).sin() as f32));
            }
            RopeKind::Pairs => {
                self.rows.extend((0..pairs).flat_map(|i| [angle(i).cos() as f32; 2]));
                self.rows.extend((0..pairs).map(|i| angle(i).sin() as f32).flat_map(|sin| [-sin, sin]));
            }
        }
    }
}

/// Turns the first `turned` channels of each of `heads` heads; the others are copied.
pub struct Rope<'a> {
    /// `[rows, heads·dim]`
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub kind: RopeKind,
    pub heads: usize,
    /// Channels of a head.
    pub dim: usize,
    pub turned: usize,
    /// What [`Tables::rows`] gives.
    pub table: &'a [f32],
}

impl Kernel for Rope<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, y, kind, heads, dim, turned, table } = self;
        let width = match kind {
            RopeKind::Halves => turned,
            RopeKind::Pairs => 2 * turned,
        };
        for (at, (x, y)) in x.chunks_exact(dim).zip(y.chunks_exact_mut(dim)).enumerate() {
            let (cos, sin) = table[at / heads * width..][..width].split_at(width / 2);
            unsafe {
                match kind {
                    RopeKind::Halves => halves::<S>(&x[..turned], &mut y[..turned], cos, sin),
                    RopeKind::Pairs => pairs::<S>(&x[..turned], &mut y[..turned], cos, sin),
                }
            }
            y[turned..].copy_from_slice(&x[turned..]);
        }
    }
}

#[inline(always)]
unsafe fn halves<S: Simd>(x: &[f32], y: &mut [f32], cos: &[f32], sin: &[f32]) {
    let pairs = cos.len();
    let ((a, b), (to_a, to_b)) = (x.split_at(pairs), y.split_at_mut(pairs));
    let whole = pairs / 4 * 4;
    for at in (0..whole).step_by(4) {
        unsafe {
            let [a, b] = [S::load(a.as_ptr().add(at)), S::load(b.as_ptr().add(at))];
            let [c, s] = [S::load(cos.as_ptr().add(at)), S::load(sin.as_ptr().add(at))];
            S::store(to_a.as_mut_ptr().add(at), S::sub(S::mul(a, c), S::mul(b, s)));
            S::store(to_b.as_mut_ptr().add(at), S::add(S::mul(a, s), S::mul(b, c)));
        }
    }
    for at in whole..pairs {
        to_a[at] = a[at] * cos[at] - b[at] * sin[at];
        to_b[at] = a[at] * sin[at] + b[at] * cos[at];
    }
}

/// Here the sines have the signs in them, and the other one of a pair is its neighbour.
#[inline(always)]
unsafe fn pairs<S: Simd>(x: &[f32], y: &mut [f32], cos: &[f32], sin: &[f32]) {
    let whole = x.len() / 4 * 4;
    unsafe {
        let neighbours = S::load([4u8, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11].as_ptr());
        for at in (0..whole).step_by(4) {
            let x = S::load(x.as_ptr().add(at));
            let turned = S::mul(S::swizzle(x, neighbours), S::load(sin.as_ptr().add(at)));
            S::store(y.as_mut_ptr().add(at), S::add(S::mul(x, S::load(cos.as_ptr().add(at))), turned));
        }
    }
    for at in whole..x.len() {
        y[at] = x[at] * cos[at] + x[at ^ 1] * sin[at];
    }
}
