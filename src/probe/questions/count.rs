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
    for _ in 0..3 {
        // Mostly of something that is there: nought is an answer like the others, not the usual one.
        let seen = (!objects.is_empty() && rng.chance(0.9)).then(|| rng.pick(objects));
        let shape = seen.map_or_else(|| rng.below(shapes::NAMES.len()), |o| o.shape);
        let colour = seen.map_or_else(|| rng.below(colours::NAMES.len()), |o| o.colour);
        match rng.weighted(&[0.4, 0.32, 0.28]) {
            0 => of(rng, objects.iter().filter(|o| o.shape == shape).count(), &shapes::plural(shape)),
            1 => {
                let name = format!("{} {noun}", colours::NAMES[colour]);
                of(rng, objects.iter().filter(|o| o.colour == colour).count(), &name);
            }
            _ => {
                let name = format!("{} {}", colours::NAMES[colour], shapes::plural(shape));
                of(rng, objects.iter().filter(|o| o.colour == colour && o.shape == shape).count(), &name);
            }
        }
    }
}

/// How many lines of text there are.
pub(super) fn words(rng: &mut Rng, scene: &Scene) -> Ask {
    let all_words = scene.texts.iter().all(|t| !t.is_number());
    let noun = if all_words { "words" } else { "lines of text" };
    plain(Kind::Count, say(rng, &OF, &[noun]), scene.texts.len().to_string())
}
