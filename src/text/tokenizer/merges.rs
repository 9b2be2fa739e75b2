//! Byte-pair merging (arXiv 1508.07909): of all neighbours that some merge joins, those of the first merge are joined, the
//! leftmost first, until there are none.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// All merges of a vocabulary.
#[derive(Debug)]
pub struct Merges {
    /// In the order of their pairs.
    all: Vec<Merge>,
}

/// Two ids and what they become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Merge {
    pair: [u32; 2],
    /// How many merges come before it.
    rank: u32,
    joined: u32,
}

/// A merge that could be done, the left one of its pair being at this place: the more urgent, the greater.
#[derive(PartialEq, Eq)]
struct Step {
    merge: Merge,
    at: usize,
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.merge.rank, other.at).cmp(&(self.merge.rank, self.at))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In place of an id that was joined to the one before it.
const GONE: u32 = u32::MAX;

impl Merges {
    /// Merges, the first first: two ids, and the id of what they become. Of one that is named twice the later counts.
    pub fn new(merges: impl IntoIterator<Item = [u32; 3]>) -> Self {
        let merge = |([left, right, joined], rank): ([u32; 3], u32)| Merge { pair: [left, right], rank, joined };
        let mut all: Vec<_> = merges.into_iter().zip(0..).map(merge).collect();
        all.sort_unstable_by_key(|merge| (merge.pair, Reverse(merge.rank)));
        all.dedup_by_key(|merge| merge.pair);
        all.shrink_to_fit();
        Self { all }
    }

    /// Joins what can be joined.
    pub fn join(&self, ids: &mut Vec<u32>) {
        let end = ids.len();
        // The neighbours that are left of each; the first has none before it.
        let mut before: Vec<usize> = (0..end).map(|at| at.checked_sub(1).unwrap_or(end)).collect();
        let mut after: Vec<usize> = (1..=end).collect();
        let step = |ids: &[u32], at: usize, right: usize| {
            let pair = [*ids.get(at)?, *ids.get(right)?];
            let found = self.all.binary_search_by_key(&pair, |merge| merge.pair).ok()?;
            Some(Step { merge: self.all[found], at })
        };
        let mut steps: BinaryHeap<_> = (1..end).filter_map(|right| step(ids, right - 1, right)).collect();
        while let Some(Step { merge, at }) = steps.pop() {
            let right = after[at];
            // One of the two may have been joined to another by now.
            if right == end || [ids[at], ids[right]] != merge.pair {
                continue;
            }
            (ids[at], ids[right]) = (merge.joined, GONE);
            after[at] = after[right];
            if let Some(before) = before.get_mut(after[at]) {
                *before = at;
            }
            steps.extend(step(ids, before[at], at));
            steps.extend(step(ids, at, after[at]));
        }
        ids.retain(|&id| id != GONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same in as many passes as there are merges to do.
    fn plainly(merges: &[[u32; 3]], ids: &mut Vec<u32>) {
        while let Some((at, joined)) = merges.iter().find_map(|&[left, right, joined]| {
            ids.windows(2).position(|pair| pair == [left, right]).map(|at| (at, joined))
        }) {
            ids.splice(at..at + 2, [joined]);
        }
    }

    #[test]
    fn the_first_merge_comes_first_and_the_leftmost_of_it() {
        let mut state = 7u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for _ in 0..500 {
            let mut merges = Vec::<[u32; 3]>::new();
            for joined in 3..3 + random(12) {
                let pair = [random(joined), random(joined)];
                // A merge that comes twice is told apart below.
                if merges.iter().all(|[left, right, _]| [*left, *right] != pair) {
                    merges.push([pair[0], pair[1], joined]);
                }
            }
            let mut ids: Vec<u32> = (0..random(40)).map(|_| random(3)).collect();
            let mut expected = ids.clone();
            plainly(&merges, &mut expected);
            Merges::new(merges.iter().copied()).join(&mut ids);
            assert_eq!(ids, expected, "{merges:?}");
        }
    }

    #[test]
    fn of_a_merge_named_twice_the_later_counts() {
        let mut ids = vec![0, 1, 2];
        Merges::new([[0, 1, 3], [1, 2, 4], [0, 1, 3]]).join(&mut ids);
        assert_eq!(ids, [0, 4]);
    }
}
