//! "Is there a red star?"

use super::phrase::{leaning, plain, say, yes};
use super::{Ask, Kind};
use crate::probe::rng::Rng;
use crate::probe::scene::{Family, Scene};
use crate::probe::{colours, shapes};

const ONE: [&str; 5] = [
    "is there a {0}",
    "is there a {0} in the picture",
    "do you see a {0}",
    "can you see a {0}",
    "does the picture show a {0}",
];
const MANY: [&str; 4] =
    ["are there any {0}", "are there {0}", "do you see any {0}", "are there any {0} in the picture"];

pub(super) fn ask(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let objects = &scene.objects;
    if matches!(scene.family, Family::Shapes | Family::Mixed) {
        for _ in 0..2 {
            // The answer is drawn first, then a thing that gives it.
            let truth = rng.chance(0.5);
            let what = rng.weighted(&[0.34, 0.26, 0.4]);
            for _ in 0..12 {
                let near = (!objects.is_empty()).then(|| rng.pick(objects));
                let mut shape = rng.below(shapes::NAMES.len());
                let mut colour = rng.below(colours::NAMES.len());
                if let Some(near) = near {
                    // What is not there shares a half with something that is, more often than not.
                    let keep = if truth { 3 } else { rng.weighted(&[0.3, 0.35, 0.35]) };
                    if keep & 1 != 0 {
                        shape = near.shape;
                    }
                    if keep & 2 != 0 {
                        colour = near.colour;
                    }
                }
                let fits = objects.iter().any(|o| (what == 1 || o.shape == shape) && (what == 0 || o.colour == colour));
                if fits != truth {
                    continue;
                }
                let color = colours::NAMES[colour];
                let (one, many) = match what {
                    0 => (shapes::NAMES[shape].to_string(), shapes::plural(shape)),
                    1 => (format!("{color} shape"), format!("{color} {}", rng.pick(&["shapes", "objects"]))),
                    _ => (format!("{color} {}", shapes::NAMES[shape]), format!("{color} {}", shapes::plural(shape))),
                };
                let (question, subject) = if rng.chance(0.7) {
                    (say(rng, &ONE, &[&one]), format!("a {one}"))
                } else {
                    (say(rng, &MANY, &[&many]), many)
                };
                asks.push(leaning(rng, Kind::Presence, question, yes(truth), &subject));
                break;
            }
        }
    }
    // Fewer pictures have text than have none; asking those more often balances the answers.
    let lettered = !scene.texts.is_empty();
    if rng.chance(if lettered { 0.16 } else { 0.13 }) {
        let wordings =
            ["is there any text", "is anything written here", "is there text in the picture", "do you see any text"];
        asks.push(plain(Kind::Presence, say(rng, &wordings, &[]), yes(lettered)));
    }
}
