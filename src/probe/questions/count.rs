//! "How many …?"

use super::phrase::leaning;
use super::phrase::{plain, say};
use super::{Ask, Kind};
use crate::probe::rng::Rng;
use crate::probe::scene::{Family, Scene};
use crate::probe::{colours, shapes};

/// Of a kind of things, named in the plural.
const OF: [&str; 6] = [
    "how many {0} are there",
    "how many {0} are in the picture",
    "how many {0} do you see",
    "count the {0}.",
    "how many {0}",
    "what is the number of {0}",
];

/// Counts stop at nine.
const MOST: usize = 9;

pub(super) fn ask(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let objects = &scene.objects;
    if matches!(scene.family, Family::Text | Family::Regions) && objects.is_empty() {
        return;
    }
    let noun = *rng.pick(&["shapes", "objects", "shapes"]);
    let mut of = |rng: &mut Rng, n: usize, name: &str| {
        if n <= MOST {
            let question = say(rng, &OF, &[name]);
            asks.push(leaning(rng, Kind::Count, question, n.to_string(), name));
        }
    };
    if rng.chance(0.6) {
        of(rng, objects.len(), noun);
    }
    // Everything countable, then a few of it, so that large counts are as usual as one and nought.
    let mut countable = Vec::new();
    for (shape, of_shape) in (0..shapes::NAMES.len()).map(|s| (s, objects.iter().filter(move |o| o.shape == s))) {
        countable.push((of_shape.count(), shapes::plural(shape)));
    }
    for (colour, color) in colours::NAMES.iter().enumerate() {
        countable.push((objects.iter().filter(|o| o.colour == colour).count(), format!("{color} {noun}")));
    }
    for object in objects {
        let name = format!("{} {}", colours::NAMES[object.colour], shapes::plural(object.shape));
        let n = objects.iter().filter(|o| o.colour == object.colour && o.shape == object.shape).count();
        countable.push((n, name));
    }
    for _ in 0..3 {
        let weights: Vec<f32> = countable.iter().map(|(n, _)| [0.05, 0.25, 0.7, 1.3, 1.6][*n.min(&4)]).collect();
        let (n, name) = &countable[rng.weighted(&weights)];
        of(rng, *n, name);
    }
}

/// How many lines of text there are.
pub(super) fn words(rng: &mut Rng, scene: &Scene) -> Ask {
    let all_words = scene.texts.iter().all(|t| !t.is_number());
    let noun = if all_words { "words" } else { "lines of text" };
    plain(Kind::Count, say(rng, &OF, &[noun]), scene.texts.len().to_string())
}
