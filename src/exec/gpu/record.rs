//! What a run is to do, written down node by node before the GPU is told any of it.

use super::kernels::Shader;
use crate::graph::Turn;

/// A buffer that a kernel works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Indices and rotary tables. It also stands where a kernel has a binding that this use of it does not read.
    Given,
    /// A stream of a part of a weight.
    Weight { at: usize, part: usize, stream: usize },
    /// What the last top-k found.
    Found,
    /// A cache, by its number.
    Cache(usize),
    /// A state, by its number.
    State(usize),
}

/// One dispatch: parameters are binding 0, the arena is binding 1.
pub struct Work {
    pub shader: Shader,
    pub params: Vec<u32>,
    /// What is bound beside those two.
    pub slots: Vec<(u32, Slot)>,
    pub groups: [u32; 3],
}

/// All of a run.
#[derive(Default)]
pub struct Record<'a> {
    pub works: Vec<Work>,
    /// Numbers that kernels find by their place: indices, and f32 as bits.
    pub given: Vec<u32>,
    /// Inputs, and the numbers of the arena that they become.
    pub inputs: Vec<(usize, &'a [f32])>,
    /// States that are to be zeros at first.
    pub clears: Vec<usize>,
    /// Where in `given` a rotary table lies: layers share it.
    turns: Vec<(Turn, usize)>,
}

impl Record<'_> {
    /// Adds numbers that kernels find; where they are.
    pub fn give(&mut self, numbers: impl IntoIterator<Item = u32>) -> u32 {
        let at = self.given.len() as u32;
        self.given.extend(numbers);
        at
    }

    /// The place of a rotary table, which `make` makes if it is not there yet.
    pub fn turn<'t>(&mut self, turn: Turn, make: impl FnOnce() -> &'t [f32]) -> u32 {
        if let Some((_, at)) = self.turns.iter().find(|(known, _)| *known == turn) {
            return *at as u32;
        }
        let at = self.give(make().iter().map(|x| x.to_bits()));
        self.turns.push((turn, at as usize));
        at
    }
}

/// A grid of so many groups, in two dimensions where one is not enough.
pub fn grid(groups: usize) -> [u32; 3] {
    let rows = groups.div_ceil(65_535).max(1);
    [groups.div_ceil(rows) as u32, rows as u32, 1]
}

/// A grid with a thread for each of so many numbers.
pub fn each(len: usize) -> [u32; 3] {
    grid(len.div_ceil(64))
}
