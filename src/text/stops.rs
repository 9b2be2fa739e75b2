//! Texts at which an answer ends.

/// Lets an answer through up to the first of some texts. What could be the beginning of one is held back until it is clear.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    texts: Vec<String>,
    held: String,
    over: bool,
}

impl Stops {
    /// Ends at the first of these; empty ones are none.
    pub fn new(texts: &[String]) -> Self {
        Self { texts: texts.iter().filter(|text| !text.is_empty()).cloned().collect(), ..Self::default() }
    }

    /// Takes the next of the answer: what of it, and of what was held back, can be told, and whether the answer ends there.
    /// After its end nothing is let through.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        if self.over {
            return (String::new(), true);
        }
        self.held.push_str(text);
        if let Some(at) = self.texts.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            self.over = true;
            return (std::mem::take(&mut self.held), true);
        }
        let begins = |at: &usize| self.texts.iter().any(|stop| stop.starts_with(&self.held[*at..]));
        let clear = self.held.char_indices().map(|(at, _)| at).find(begins).unwrap_or(self.held.len());
        let rest = self.held.split_off(clear);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// The answer ended otherwise: what was held back.
    pub fn finish(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is let through of a text that comes in these pieces, and whether it was ended.
    fn through(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut filter = Stops::new(&stops.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        let mut told = Vec::new();
        for piece in pieces {
            let (text, over) = filter.push(piece);
            told.push(text);
            if over {
                return (told, true);
            }
        }
        told.push(filter.finish());
        (told, false)
    }

    #[test]
    fn a_stop_is_found_wherever_it_is_cut_into_pieces() {
        let text = "one, two\n\nthree";
        for a in 0..=text.len() {
            for b in a..=text.len() {
                let (told, over) = through(&["\n\n", "four"], &[&text[..a], &text[a..b], &text[b..]]);
                assert_eq!((told.concat().as_str(), over), ("one, two", true));
            }
        }
    }

    #[test]
    fn what_only_begins_as_a_stop_comes_through() {
        assert_eq!(
            through(&["\n\n"], &["a\n", "b", "\n"]),
            (["a", "\nb", "", "\n"].map(str::to_owned).to_vec(), false)
        );
        assert_eq!(through(&["aab"], &["aa", "ab", "z"]).0.concat(), "a");
        assert_eq!(through(&["", "é!"], &["é", "é", "?"]), (["", "é", "é?", ""].map(str::to_owned).to_vec(), false));
    }

    #[test]
    fn the_first_of_several_counts() {
        assert_eq!(through(&["c", "b"], &["abc"]), (vec!["a".to_owned()], true));
    }
}
