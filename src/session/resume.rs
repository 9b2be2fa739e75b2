//! What of a prompt need not be read again.
//!
//! The cache's contents are remembered as a list of items, and the common beginning of that and a new prompt stands. Keys
//! and values can be cut back to any position; the states of a recurrent model cannot, so some of them are kept on the way,
//! and reading goes on at the last of those within the common beginning.

use super::open::Model;
use crate::{error::Result, text::prompt::Item};

/// States kept at the same time. Those of a model of a billion weights are some twenty megabytes each.
const MOST_KEPT: usize = 3;

/// What the model's cache and states hold.
#[derive(Default)]
pub struct Memory {
    /// Position by position.
    items: Vec<Item>,
    /// Whether the states have gone beyond these.
    beyond: bool,
    /// Where states were kept, in order, and under which number.
    kept: Vec<Kept>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    at: usize,
    slot: usize,
}

/// Where reading goes on.
#[derive(Debug, PartialEq, Eq)]
pub struct Resume {
    /// Positions that stand.
    pub at: usize,
    /// The kept states that belong there, unless the present ones do.
    slot: Option<usize>,
}

impl Memory {
    /// Where reading `prompt` would go on. Its last position is always read: no logits are kept.
    pub fn resume(&self, prompt: &[Item], is_recurrent: bool) -> Resume {
        let last = prompt.len().saturating_sub(1);
        let common = prompt[..last].iter().zip(&self.items).take_while(|(a, b)| a == b).count();
        if !is_recurrent || common == self.items.len() && !self.beyond {
            return Resume { at: common, slot: None };
        }
        // A call at position 0 needs no states.
        let kept = self.kept.iter().rev().find(|kept| kept.at <= common);
        kept.map_or(Resume { at: 0, slot: None }, |kept| Resume { at: kept.at, slot: Some(kept.slot) })
    }

    /// Goes back to where reading goes on.
    ///
    /// # Errors
    /// An internal error when the kept states are lost.
    pub fn go_back(&mut self, resume: &Resume, model: &mut Model) -> Result<()> {
        self.items.truncate(resume.at);
        self.kept.retain(|kept| kept.at <= resume.at);
        self.beyond = false;
        resume.slot.map_or(Ok(()), |slot| model.restore(slot))
    }

    /// Keeps the states as they are, after `at` positions.
    ///
    /// # Errors
    /// A model error when there is not enough memory.
    pub fn keep(&mut self, at: usize, model: &mut Model) -> Result<()> {
        let slot = self.make_room();
        model.keep(slot)?;
        self.kept.push(Kept { at, slot });
        Ok(())
    }

    /// A number that is free. What was kept first stays: every conversation about the same pictures begins so.
    fn make_room(&mut self) -> usize {
        if self.kept.len() == MOST_KEPT {
            return self.kept.remove(1).slot;
        }
        (0..MOST_KEPT).find(|slot| self.kept.iter().all(|kept| kept.slot != *slot)).unwrap_or_default()
    }

    /// Remembers what has been read and said, and whether the states have gone beyond it.
    pub fn hold(&mut self, items: &[Item], beyond: bool) {
        items.clone_into(&mut self.items);
        self.beyond = beyond;
    }

    /// Nothing stands any more.
    pub fn clear(&mut self) {
        self.items.clear();
        self.kept.clear();
        self.beyond = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[u32]) -> Vec<Item> {
        ids.iter().map(|&id| Item::Token(id)).collect()
    }

    fn memory(ids: &[u32], kept: &[usize]) -> Memory {
        let kept = kept.iter().enumerate().map(|(slot, &at)| Kept { at, slot }).collect();
        Memory { items: items(ids), beyond: false, kept }
    }

    #[test]
    fn states_that_have_gone_beyond_are_taken_back() {
        let mut memory = memory(&[1, 2, 3, 4], &[2]);
        let prompt = items(&[1, 2, 3, 4, 5, 6]);
        memory.hold(&items(&[1, 2, 3, 4]), true);
        assert_eq!(memory.resume(&prompt, true), Resume { at: 2, slot: Some(0) });
        assert_eq!(memory.resume(&prompt, false), Resume { at: 4, slot: None });
        memory.kept.clear();
        assert_eq!(memory.resume(&prompt, true), Resume { at: 0, slot: None });
    }

    #[test]
    fn caches_are_cut_back_anywhere_and_states_to_where_they_were_kept() {
        let memory = memory(&[1, 2, 3, 4, 5, 6], &[2, 4]);
        for (prompt, cache, states, slot) in [
            (&[1, 2, 3, 4, 5, 6, 7, 8][..], 6, 6, None),
            (&[1, 2, 3, 4, 5, 9, 9], 5, 4, Some(1)),
            (&[1, 2, 3, 9, 9], 3, 2, Some(0)),
            (&[1, 9], 1, 0, None),
            // The same prompt again: its last position is wanted.
            (&[1, 2, 3, 4, 5, 6], 5, 4, Some(1)),
            (&[1, 2, 3, 4], 3, 2, Some(0)),
            (&[9], 0, 0, None),
        ] {
            let prompt = items(prompt);
            assert_eq!(memory.resume(&prompt, false), Resume { at: cache, slot: None }, "{prompt:?}");
            assert_eq!(memory.resume(&prompt, true), Resume { at: states, slot }, "{prompt:?}");
        }
    }

    #[test]
    fn the_first_states_stay_and_the_oldest_of_the_others_give_way() {
        let mut memory = memory(&[], &[2, 4, 6]);
        for (at, slot) in [(8, 1), (10, 2), (12, 1)] {
            assert_eq!(memory.make_room(), slot);
            memory.kept.push(Kept { at, slot });
        }
        assert_eq!(memory.kept.iter().map(|kept| kept.at).collect::<Vec<_>>(), [2, 10, 12]);
        memory.kept.truncate(1);
        assert_eq!(memory.make_room(), 1, "a number that is free");
    }
}
