//! What recurrent operations remember, and copies of it that were kept.

use crate::{
    error::{Error, Result},
    graph::StateId,
};

/// All states of a model.
#[derive(Default)]
pub struct States {
    now: Vec<Vec<f32>>,
    kept: Vec<Option<Vec<Vec<f32>>>>,
}

impl States {
    /// The state of an operation in a call at `position`, zeros at the beginning.
    ///
    /// # Errors
    /// When a call goes on that never began, or there is not enough memory.
    pub fn at(&mut self, id: StateId, len: usize, position: usize) -> std::result::Result<&mut [f32], &'static str> {
        let at = id.0 as usize;
        if self.now.len() <= at {
            self.now.resize_with(at + 1, Vec::new);
        }
        let state = &mut self.now[at];
        if position == 0 {
            state.clear();
            state.try_reserve_exact(len).map_err(|_| "there is not enough memory for a state")?;
            state.resize(len, 0.0);
        }
        if state.len() == len { Ok(state) } else { Err("a state was read before it was begun") }
    }

    /// Copies all states into slot `slot`, in place of what was there.
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    pub fn keep(&mut self, slot: usize) -> Result<()> {
        if self.kept.len() <= slot {
            self.kept.resize_with(slot + 1, || None);
        }
        // The old copy's memory serves the new one.
        let mut copies = self.kept[slot].take().unwrap_or_default();
        copies.resize_with(self.now.len(), Vec::new);
        for (copy, state) in copies.iter_mut().zip(&self.now) {
            copy.clear();
            copy.try_reserve_exact(state.len()).map_err(|_| {
                Error::model("There is not enough memory to go on; close other pages or take a smaller model.")
            })?;
            copy.extend_from_slice(state);
        }
        self.kept[slot] = Some(copies);
        Ok(())
    }

    /// Makes the states what they were when slot `slot` was written.
    ///
    /// # Errors
    /// An internal error when it never was.
    pub fn restore(&mut self, slot: usize) -> Result<()> {
        let kept = self.kept.get(slot).and_then(Option::as_ref);
        let kept = kept.ok_or_else(|| Error::internal("A state was restored that was never kept; report this."))?;
        self.now.clone_from(kept);
        Ok(())
    }
}
