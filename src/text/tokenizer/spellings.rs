//! What each id spells, and which id has a spelling: one text and two lists of numbers, where a map of strings for each of
//! the two ways would take several times as much.

use std::hash::{DefaultHasher, Hasher};

/// See the module.
#[derive(Debug)]
pub struct Spellings {
    /// All of them, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
    /// Ids in the places that the hashes of their spellings name, or in the next that was free.
    places: Vec<u32>,
}

/// A place without an id.
const FREE: u32 = u32::MAX;

impl Spellings {
    /// The spelling of each id; nothing when 32 bits cannot count them. Of ids that are spelled alike the last is found.
    pub fn new(tokens: &[String]) -> Option<Self> {
        let bytes = tokens.iter().map(String::len).sum();
        u32::try_from(bytes).ok()?;
        let (mut text, mut ends) = (String::with_capacity(bytes), Vec::with_capacity(tokens.len()));
        for token in tokens {
            text.push_str(token);
            ends.push(text.len() as u32);
        }
        // Half of them stay free, so that a search soon ends.
        let mut this = Self { text, ends, places: vec![FREE; (2 * tokens.len()).next_power_of_two()] };
        for (token, id) in tokens.iter().zip(0..FREE) {
            let place = this.place(token);
            this.places[place] = id;
        }
        Some(this)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// What an id spells.
    pub fn get(&self, id: u32) -> Option<&str> {
        let at = id as usize;
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start as usize..end as usize)
    }

    /// The id that is spelled so.
    pub fn id(&self, spelling: &str) -> Option<u32> {
        Some(self.places[self.place(spelling)]).filter(|&id| id != FREE)
    }

    /// Where the id of a spelling is, or would be.
    fn place(&self, spelling: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(spelling.as_bytes());
        let last = self.places.len() - 1;
        let mut place = hasher.finish() as usize & last;
        while self.places[place] != FREE && self.get(self.places[place]) != Some(spelling) {
            place = (place + 1) & last;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_spelling_is_found_and_no_other() {
        for count in [0, 1, 2, 3, 1000] {
            let tokens: Vec<String> = (0..count).map(|n: u32| format!("{:x}", n * n)).collect();
            let spellings = Spellings::new(&tokens).unwrap();
            assert_eq!(spellings.count(), count as usize);
            for (token, id) in tokens.iter().zip(0..) {
                assert_eq!((spellings.id(token), spellings.get(id)), (Some(id), Some(&token[..])));
            }
            for unknown in ["", "x", "2", "é"] {
                assert_eq!(spellings.id(unknown), None, "{unknown:?} of {count}");
            }
            assert_eq!(spellings.get(count), None);
        }
    }

    #[test]
    fn of_equal_spellings_the_last_is_found() {
        let spellings = Spellings::new(&["a", "", "b", "a", ""].map(String::from)).unwrap();
        assert_eq!(["a", "b", ""].map(|name| spellings.id(name)), [Some(3), Some(2), Some(4)]);
        assert_eq!([0, 1, 3].map(|id| spellings.get(id)), [Some("a"), Some(""), Some("a")]);
    }
}
