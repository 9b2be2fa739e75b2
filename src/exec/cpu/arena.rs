//! One piece of memory for all values of a run.

use crate::{
    error::{Error, Result},
    graph::Place,
};

/// See the module. It only grows.
#[derive(Default)]
pub struct Arena(Vec<f32>);

impl Arena {
    /// Makes room for so many elements.
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    pub fn reserve(&mut self, elements: usize) -> Result<()> {
        if elements > self.0.len() {
            // What is in it is of no use any more: not to be copied, and not to lie beside the new.
            self.0 = Vec::new();
            self.0.try_reserve_exact(elements).map_err(|_| {
                Error::model("There is not enough memory for this picture; close other pages or take a smaller model.")
            })?;
            self.0.resize(elements, 0.0);
        }
        Ok(())
    }

    /// The elements of a place, to be read.
    pub fn read(&self, place: Place) -> &[f32] {
        &self.0[place.start..place.start + place.len]
    }

    /// The elements of a place that a node writes and of those it reads.
    ///
    /// # Panics
    /// When what is written and what is read overlap: a plan never lays values out so.
    pub fn split<const N: usize>(&mut self, write: Place, reads: [Place; N]) -> (&mut [f32], [&[f32]; N]) {
        let (start, end) = (write.start, write.start + write.len);
        let (below, rest) = self.0.split_at_mut(start);
        let (write, above) = rest.split_at_mut(write.len);
        let (below, above) = (&*below, &*above);
        let reads = reads.map(|r| match r.start.checked_sub(end) {
            Some(at) => &above[at..at + r.len],
            None => &below[r.start..r.start + r.len],
        });
        (write, reads)
    }
}
