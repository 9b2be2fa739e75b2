//! Where things lie: to each other, at the edges, in the picture.

use super::attribute::name;
use super::phrase::{leaning, plain, say, yes};
use super::{Ask, Kind};
use crate::probe::rng::Rng;
use crate::probe::scene::{Object, Scene};
use crate::probe::{colours, shapes};

/// A thing with a name and a place.
struct Thing {
    name: String,
    x: f32,
    y: f32,
    /// Half its width and height.
    half: (f32, f32),
}

const BESIDE: [[&str; 3]; 4] = [
    ["left of", "to the left of", "on the left of"],
    ["right of", "to the right of", "on the right of"],
    ["above", "above", "higher than"],
    ["below", "below", "lower than"],
];
const DIRECTION: [&str; 4] = ["left", "right", "above", "below"];

pub(super) fn ask(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    relations(rng, scene, asks);
    edges(rng, scene, asks);
    position(rng, scene, asks);
}

fn things(rng: &mut Rng, scene: &Scene) -> Vec<Thing> {
    let mut things: Vec<Thing> = scene
        .objects
        .iter()
        .filter_map(|o| {
            let extent = shapes::EXTENTS[o.shape];
            Some(Thing { name: name(o, scene, rng)?, x: o.x, y: o.y, half: (o.r * extent.0, o.r * extent.1) })
        })
        .collect();
    if let [text] = scene.texts.as_slice() {
        let [left, top, right, bottom] = text.bounds();
        let noun = if text.is_number() { "number" } else { *rng.pick(&["word", "text"]) };
        let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
        things.push(Thing { name: noun.into(), x, y, half: ((right - left) / 2.0, (bottom - top) / 2.0) });
    }
    things
}

/// Two relations between things that lie clearly beside, or clearly above and below, each other.
fn relations(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let things = things(rng, scene);
    if things.len() < 2 {
        return;
    }
    for _ in 0..2 {
        for _ in 0..10 {
            let (i, j) = (rng.below(things.len()), rng.below(things.len()));
            let (a, b) = (&things[i], &things[j]);
            let upright = rng.chance(0.5);
            let (from, to, reach, other) = if upright {
                (a.y, b.y, a.half.1 + b.half.1, (a.x - b.x).abs())
            } else {
                (a.x, b.x, a.half.0 + b.half.0, (a.y - b.y).abs())
            };
            let apart = (to - from).abs();
            // Nearly all of each thing lies on its side, and the other direction is not the plainer one by far.
            if i == j || apart < reach * 0.8 || apart < other * 0.35 {
                continue;
            }
            let towards = usize::from(upright) * 2 + usize::from(from > to);
            if rng.chance(0.5) {
                let truth = rng.chance(0.5);
                let asked = if truth { towards } else { towards ^ 1 };
                let word = *rng.pick(&BESIDE[asked]);
                let wordings = ["is the {0} {2} the {1}", "is the {0} {2} the {1}", "does the {0} lie {2} the {1}"];
                asks.push(plain(Kind::Relation, say(rng, &wordings, &[&a.name, &b.name, word]), yes(truth)));
            } else {
                let wordings: &[&str] = if upright {
                    &[
                        "is the {0} above or below the {1}",
                        "is the {0} below or above the {1}",
                        "does the {0} lie above or below the {1}",
                        "where is the {0}, above or below the {1}",
                    ]
                } else {
                    &[
                        "is the {0} left or right of the {1}",
                        "is the {0} to the left or right of the {1}",
                        "is the {0} on the right or left of the {1}",
                        "where is the {0}, left or right of the {1}",
                    ]
                };
                asks.push(plain(Kind::Relation, say(rng, wordings, &[&a.name, &b.name]), DIRECTION[towards]));
            }
            break;
        }
    }
}

/// The object nearest an edge, if its centre and its rim both lead clearly.
fn edges(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    if scene.objects.len() < 2 {
        return;
    }
    for _ in 0..2 {
        let side = rng.below(4);
        let key = |o: &Object| match side {
            0 => o.x,
            1 => -o.x,
            2 => o.y,
            _ => -o.y,
        };
        let mut sorted: Vec<&Object> = scene.objects.iter().collect();
        sorted.sort_by(|a, b| key(a).total_cmp(&key(b)));
        let (first, next) = (sorted[0], sorted[1]);
        let lead = 4.0 * scene.pixel;
        let rims = sorted[1..].iter().all(|o| key(first) - first.r + lead * 0.5 < key(o) - o.r);
        if key(next) - key(first) < lead || !rims {
            continue;
        }
        let word = ["leftmost", "rightmost", "topmost", "bottommost"][side];
        let far = ["on the far left", "on the far right", "at the very top", "at the very bottom"][side];
        let noun = *rng.pick(&["shape", "object"]);
        if rng.chance(0.5) {
            let wordings = [
                "what color is the {0} {2}",
                "what is the color of the {0} {2}",
                "which color is the {2} {1}",
                "what color is the {2} {1}",
            ];
            let question = say(rng, &wordings, &[word, far, noun]);
            asks.push(leaning(
                rng,
                Kind::Border,
                question,
                colours::NAMES[first.colour],
                &format!("the {word} {noun}"),
            ));
        } else {
            let wordings = [
                "what shape is the {0} one",
                "what is the {0} shape",
                "which shape is {1}",
                "what shape is {1}",
                "what is the shape of the {0} object",
            ];
            asks.push(plain(Kind::Border, say(rng, &wordings, &[word, far]), shapes::NAMES[first.shape]));
        }
    }
}

/// The ninth of the picture a thing lies in, if it lies well inside it.
fn position(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let things = things(rng, scene);
    if things.is_empty() || rng.chance(0.5) {
        return;
    }
    let thing = rng.pick(&things);
    // Thirds, less a band around their borders where people would disagree.
    let third = |v: f32, side: u32| match v / side as f32 {
        t if t < 0.3 => Some(0),
        t if (0.4..0.6).contains(&t) => Some(1),
        t if t > 0.7 => Some(2),
        _ => None,
    };
    let (Some(column), Some(row)) = (third(thing.x, scene.width), third(thing.y, scene.height)) else { return };
    let answer =
        [["top left", "top", "top right"], ["left", "center", "right"], ["bottom left", "bottom", "bottom right"]][row]
            [column];
    let wordings = [
        "where is the {0}",
        "in which part of the picture is the {0}",
        "where do you see the {0}",
        "where in the picture is the {0}",
    ];
    let question = say(rng, &wordings, &[&thing.name]);
    asks.push(leaning(rng, Kind::Where, question, answer, &format!("the {}", thing.name)));
}
