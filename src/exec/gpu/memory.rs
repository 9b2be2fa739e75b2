//! What lies on the GPU beside the weights: the arena, what a call gives, caches, and states with the copies kept of them.

use super::device::{Device, Fault, Part, Step};
use crate::error::{Error, Result};

/// A buffer that is replaced when it is too small.
pub struct Held<D: Device> {
    pub buffer: D::Buffer,
    pub bytes: u64,
}

impl<D: Device> Held<D> {
    /// All of it.
    pub fn whole(&self) -> Part<'_, D::Buffer> {
        Part { buffer: &self.buffer, start: 0, len: self.bytes }
    }
}

/// A cache of halves, two to a word, and how many of its words were written.
struct Cache<D: Device> {
    held: Option<Held<D>>,
    len: usize,
}

/// See the module. `moved` tells that a buffer was replaced, so that what was bound to it must be bound anew.
pub struct Memory<D: Device> {
    pub arena: Option<Held<D>>,
    pub given: Option<Held<D>>,
    pub params: Option<Held<D>>,
    /// What the last top-k found: see `wgsl/topk.wgsl`.
    pub found: Option<Held<D>>,
    pub moved: bool,
    caches: Vec<Cache<D>>,
    states: Vec<Option<Held<D>>>,
    kept: Vec<Option<Vec<Option<Held<D>>>>>,
}

impl<D: Device> Default for Memory<D> {
    fn default() -> Self {
        Self {
            arena: None,
            given: None,
            params: None,
            found: None,
            moved: false,
            caches: Vec::new(),
            states: Vec::new(),
            kept: Vec::new(),
        }
    }
}

/// Bytes of so many words, refused when no binding can reach them.
fn bytes_of<D: Device>(device: &D, len: usize) -> Result<u64> {
    let bytes = len as u64 * 4;
    if bytes > device.about().binding.min(device.about().buffer) {
        return Err(Fault::Memory(format!("{bytes} bytes in one piece")).error());
    }
    Ok(bytes)
}

fn hold<D: Device>(device: &D, bytes: u64) -> Result<Held<D>> {
    let bytes = bytes.max(256).next_multiple_of(16);
    let buffer = device.buffer(bytes);
    device.fault().map_or(Ok(Held { buffer, bytes }), |fault| Err(fault.error()))
}

/// Sees to it that a buffer is large enough; whether it is another now.
fn reserve<D: Device>(device: &D, held: &mut Option<Held<D>>, bytes: u64) -> Result<bool> {
    if held.as_ref().is_some_and(|held| held.bytes >= bytes) {
        return Ok(false);
    }
    // First given up, then made anew: both together may be too much.
    *held = None;
    *held = Some(hold(device, bytes)?);
    Ok(true)
}

impl<D: Device> Memory<D> {
    /// Room for so many numbers in the arena.
    pub fn reserve_arena(&mut self, device: &D, len: usize) -> Result<()> {
        self.moved |= reserve(device, &mut self.arena, bytes_of(device, len)?)?;
        Ok(())
    }

    /// Room for what a call gives, for the parameters of so many kernels, and for what is found.
    pub fn reserve_given(&mut self, device: &D, len: usize, kernels: usize) -> Result<()> {
        self.moved |= reserve(device, &mut self.given, bytes_of(device, len)?)?;
        let bytes = kernels.max(1) as u64 * 256;
        if self.params.as_ref().is_none_or(|held| held.bytes < bytes) {
            self.params = Some(Held { buffer: device.uniforms(bytes), bytes });
            self.moved = true;
        }
        if self.found.is_none() {
            self.found = Some(hold(device, 256)?);
        }
        Ok(())
    }

    /// Room for `count` more words of a cache from word `at` on, which must follow what was written.
    pub fn reserve_cache(
        &mut self,
        device: &D,
        id: usize,
        at: usize,
        count: usize,
    ) -> std::result::Result<(), Failure> {
        if self.caches.len() <= id {
            self.caches.resize_with(id + 1, || Cache { held: None, len: 0 });
        }
        let cache = &mut self.caches[id];
        if cache.len < at {
            return Err("rows are stored after a gap".into());
        }
        let (end, room) = (at + count, cache.held.as_ref().map_or(0, |held| held.bytes as usize / 4));
        if end > room {
            // Twice as much, so that a growing cache is seldom copied, as far as a binding reaches.
            let most = device.about().binding as usize / 4;
            let wanted = bytes_of(device, (2 * end).min(most).max(end))?;
            let new = hold(device, wanted)?;
            if let Some(old) = &cache.held {
                device.submit(&[Step::Copy { source: &old.buffer, target: &new.buffer, bytes: at as u64 * 4 }]);
            }
            cache.held = Some(new);
            self.moved = true;
        }
        cache.len = end;
        Ok(())
    }

    /// A cache.
    pub fn cache(&self, id: usize) -> Option<&Held<D>> {
        self.caches.get(id)?.held.as_ref()
    }

    /// Sees to it that there is a state of so many numbers, for a call at `position`; whether it must be cleared first.
    pub fn reserve_state(
        &mut self,
        device: &D,
        id: usize,
        len: usize,
        position: usize,
    ) -> std::result::Result<bool, Failure> {
        if self.states.len() <= id {
            self.states.resize_with(id + 1, || None);
        }
        let bytes = bytes_of(device, len)?.max(256).next_multiple_of(16);
        let fits = self.states[id].as_ref().is_some_and(|held| held.bytes == bytes);
        if position > 0 {
            return if fits { Ok(false) } else { Err("a state was read before it was begun".into()) };
        }
        if !fits {
            self.states[id] = Some(hold(device, bytes)?);
            self.moved = true;
        }
        Ok(fits)
    }

    /// A state.
    pub fn state(&self, id: usize) -> Option<&Held<D>> {
        self.states.get(id)?.as_ref()
    }

    /// Copies all states into slot `slot`, in place of what was there.
    pub fn keep(&mut self, device: &D, slot: usize) -> Result<()> {
        if self.kept.len() <= slot {
            self.kept.resize_with(slot + 1, || None);
        }
        let mut copies = self.kept[slot].take().unwrap_or_default();
        copies.resize_with(self.states.len(), || None);
        for (copy, state) in copies.iter_mut().zip(&self.states) {
            match state {
                None => *copy = None,
                Some(state) if copy.as_ref().is_some_and(|copy| copy.bytes == state.bytes) => {}
                Some(state) => *copy = Some(hold(device, state.bytes)?),
            }
        }
        copy_all(device, &self.states, &copies);
        self.kept[slot] = Some(copies);
        Ok(())
    }

    /// Makes the states what they were when slot `slot` was written.
    pub fn restore(&mut self, device: &D, slot: usize) -> Result<()> {
        let kept = self.kept.get(slot).and_then(Option::as_ref);
        let kept = kept.ok_or_else(|| Error::internal("A state was restored that was never kept; report this."))?;
        self.states.resize_with(kept.len().max(self.states.len()), || None);
        for (at, state) in self.states.iter_mut().enumerate() {
            let bytes = kept.get(at).and_then(Option::as_ref).map(|copy| copy.bytes);
            if state.as_ref().map(|state| state.bytes) != bytes {
                *state = bytes.map(|bytes| hold(device, bytes)).transpose()?;
                self.moved = true;
            }
        }
        copy_all(device, kept, &self.states);
        Ok(())
    }
}

fn copy_all<D: Device>(device: &D, sources: &[Option<Held<D>>], targets: &[Option<Held<D>>]) {
    let steps: Vec<_> = sources
        .iter()
        .zip(targets)
        .filter_map(|(source, target)| {
            let (source, target) = (source.as_ref()?, target.as_ref()?);
            Some(Step::Copy { source: &source.buffer, target: &target.buffer, bytes: source.bytes })
        })
        .collect();
    device.submit(&steps);
}

/// Why a node failed: a fault of ours, which the node's name is told with, or an error for the person.
pub enum Failure {
    Why(&'static str),
    Error(Error),
}

impl From<&'static str> for Failure {
    fn from(why: &'static str) -> Self {
        Self::Why(why)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
