//! What kernels may use of a GPU: what it can do, what of that is wanted, and why each was taken or left.

use crate::error::{Error, Result};

/// What a GPU can do that not every one can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Arithmetic on halves.
    pub f16: bool,
    /// Exchange between threads without memory: the fewest and the most threads that do so together.
    pub subgroups: Option<(u32, u32)>,
    /// Products of four bytes with four bytes in one instruction.
    pub dot4: bool,
}

/// What is wanted of that: `None` leaves the choice to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// See [`Features::f16`].
    pub f16: Option<bool>,
    /// See [`Features::subgroups`].
    pub subgroups: Option<bool>,
}

impl Wish {
    /// What every GPU can do, and no more.
    pub const PLAIN: Self = Self { f16: Some(false), subgroups: Some(false) };
    /// The words that a person masks features with, as [`of`](Self::of) reads them.
    pub const MASKS: [&str; 2] = ["f32", "nosubgroups"];

    /// All that a GPU can do but what these words mask.
    ///
    /// # Errors
    /// A usage error that names the word that is none of them, and all that are.
    pub fn of<'a>(masks: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut wish = Self::default();
        for mask in masks {
            match mask {
                "f32" => wish.f16 = Some(false),
                "nosubgroups" => wish.subgroups = Some(false),
                _ => {
                    let known = Self::MASKS.join(", ");
                    return Err(Error::usage(format!("\"{mask}\" masks nothing of a GPU; there are {known}.")));
                }
            }
        }
        Ok(wish)
    }
}

/// What the kernels use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Tiles of layers with many rows are halves; sums stay f32.
    pub f16: bool,
    /// Sums go through subgroups, of this many threads or more: a power of two, at most 64.
    pub subgroups: Option<u32>,
}

/// Of a smaller subgroup nothing is gained: barriers would be as many.
const FEWEST: u32 = 4;

impl Variant {
    /// What a GPU of these features is to use, and a reason for each.
    pub fn choose(features: &Features, wish: Wish) -> (Self, Vec<String>) {
        let mut why = Vec::new();
        let mut choose = |name: &str, there: bool, wished: Option<bool>| {
            let taken = there && wished != Some(false);
            let reason = match (there, wished) {
                (false, _) => "not on this GPU",
                (true, Some(false)) => "not wanted",
                (true, _) => "on this GPU",
            };
            why.push(format!("{} {name}: {reason}", if taken { "with" } else { "without" }));
            taken
        };
        let least = features.subgroups.map(|(least, _)| least.min(64)).filter(|&least| least >= FEWEST);
        let f16 = choose("f16", features.f16, wish.f16);
        let subgroups = choose("subgroups", least.is_some(), wish.subgroups);
        if features.dot4 {
            why.push("without dot4: no kernel multiplies bytes".into());
        }
        (Self { f16, subgroups: least.filter(|_| subgroups) }, why)
    }

    /// In a few words, for reports.
    pub fn name(self) -> String {
        let subgroups = self.subgroups.map_or_else(String::new, |least| format!(", subgroups of {least}"));
        format!("{}{subgroups}", if self.f16 { "f16" } else { "f32" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mask_features() {
        assert_eq!(Wish::of([]).unwrap(), Wish::default());
        assert_eq!(Wish::of(Wish::MASKS).unwrap(), Wish::PLAIN);
        assert_eq!(Wish::of(["f32"]).unwrap(), Wish { f16: Some(false), ..Wish::default() });
        let error = Wish::of(["f32", "f64"]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Usage);
        assert_eq!(error.to_string(), "\"f64\" masks nothing of a GPU; there are f32, nosubgroups.");
    }

    #[test]
    fn a_feature_is_used_where_it_is_and_nobody_minds() {
        let all = Features { f16: true, subgroups: Some((8, 128)), dot4: true };
        let least = |least| Features { subgroups: Some((least, 128)), ..Features::default() };
        let name = |features, wish| Variant::choose(&features, wish).0.name();
        assert_eq!(name(all, Wish::default()), "f16, subgroups of 8");
        assert_eq!(name(all, Wish { f16: Some(false), ..Wish::default() }), "f32, subgroups of 8");
        assert_eq!(name(all, Wish::PLAIN), "f32");
        assert_eq!(name(Features::default(), Wish { f16: Some(true), ..Wish::default() }), "f32");
        assert_eq!(
            [1, 4, 128].map(|n| Variant::choose(&least(n), Wish::default()).0.subgroups),
            [None, Some(4), Some(64)]
        );
        let (_, why) = Variant::choose(&all, Wish { subgroups: Some(false), ..Wish::default() });
        assert_eq!(why[..2], ["with f16: on this GPU", "without subgroups: not wanted"]);
    }
}
