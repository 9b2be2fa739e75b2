//! What kernels may use of a GPU: what it can do, what of that is wanted, and why each was taken or left.

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
    /// See [`Features::dot4`].
    pub dot4: Option<bool>,
}

impl Wish {
    /// What every GPU can do, and no more.
    pub const PLAIN: Self = Self { f16: Some(false), subgroups: Some(false), dot4: Some(false) };
}

/// What the kernels use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Tiles of layers with many rows are halves; sums stay f32.
    pub f16: bool,
    /// Sums go through subgroups, of this many threads or more: a power of two, at most 64.
    pub subgroups: Option<u32>,
    /// Layers of few rows multiply bytes, to which activations are rounded.
    pub dot4: bool,
}

/// Of a smaller subgroup nothing is gained: barriers would be as many.
const FEWEST: u32 = 4;

impl Variant {
    /// What a GPU of these features is to use, and a reason for each.
    pub fn choose(features: &Features, wish: Wish) -> (Self, Vec<String>) {
        let mut why = Vec::new();
        let mut choose = |name: &str, there: bool, wished: Option<bool>, serves: Result<(), &str>| {
            let (taken, reason) = match (there, wished, serves) {
                (_, Some(false), _) => (false, "not wanted"),
                (false, _, _) => (false, "not on this GPU"),
                (true, Some(true), _) => (true, "wanted"),
                (true, None, Ok(())) => (true, "on this GPU"),
                (true, None, Err(reason)) => (false, reason),
            };
            why.push(format!("{} {name}: {reason}", if taken { "with" } else { "without" }));
            taken
        };
        let least = features.subgroups.map(|(least, _)| least.min(64)).filter(|&least| least >= FEWEST);
        let variant = Self {
            f16: choose("f16", features.f16, wish.f16, Ok(())),
            subgroups: least.filter(|_| choose("subgroups", least.is_some(), wish.subgroups, Ok(()))),
            // It rounds activations, and on some GPUs (Apple's) it is slower.
            dot4: choose("dot4", features.dot4, wish.dot4, Err("only where it is asked for")),
        };
        (variant, why)
    }

    /// In a few words, for reports.
    pub fn name(self) -> String {
        let subgroups = self.subgroups.map_or_else(String::new, |least| format!(", subgroups of {least}"));
        let dot4 = if self.dot4 { ", dot4" } else { "" };
        format!("{}{subgroups}{dot4}", if self.f16 { "f16" } else { "f32" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_used_where_it_is_and_nobody_minds() {
        let all = Features { f16: true, subgroups: Some((8, 128)), dot4: true };
        let least = |least| Features { subgroups: Some((least, 128)), ..Features::default() };
        let name = |features, wish| Variant::choose(&features, wish).0.name();
        assert_eq!(name(all, Wish::default()), "f16, subgroups of 8");
        assert_eq!(name(all, Wish { dot4: Some(true), ..Wish::default() }), "f16, subgroups of 8, dot4");
        assert_eq!(name(all, Wish { f16: Some(false), ..Wish::default() }), "f32, subgroups of 8");
        assert_eq!(name(all, Wish::PLAIN), "f32");
        assert_eq!(name(Features::default(), Wish { f16: Some(true), ..Wish::default() }), "f32");
        assert_eq!(
            [1, 4, 128].map(|n| Variant::choose(&least(n), Wish::default()).0.subgroups),
            [None, Some(4), Some(64)]
        );
        let (_, why) = Variant::choose(&all, Wish { subgroups: Some(false), ..Wish::default() });
        assert_eq!(
            why,
            ["with f16: on this GPU", "without subgroups: not wanted", "without dot4: only where it is asked for"]
        );
    }
}
