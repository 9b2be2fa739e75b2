//! Colour and shape of things, the largest and smallest, and the ground; and the same of things that are not there.

use super::phrase::{leaning, plain, say, yes};
use super::{Ask, Kind};
use crate::probe::colours::{self, Colour};
use crate::probe::rng::Rng;
use crate::probe::scene::{Object, Scene};
use crate::probe::shapes::{self, Shape};

const COLOR: [&str; 6] = [
    "what color is the {0}",
    "what is the color of the {0}",
    "which color is the {0}",
    "what color does the {0} have",
    "tell me the color of the {0}.",
    "the {0} is what color",
];

const SHAPE: [&str; 6] = [
    "what shape is {0}",
    "which shape is {0}",
    "what is the {0} shape",
    "what shape is the {0} one",
    "what is the shape of the {0} object",
    "what {0} shape is there",
];

/// How much larger in radius than the next the largest must be: 1.3 is 1.7 in area.
const LARGER: f32 = 1.3;

/// The shortest name that only `object` answers to: "star", "red shape", "red star".
pub(super) fn name(object: &Object, scene: &Scene, rng: &mut Rng) -> Option<String> {
    let (shape, colour) = (shapes::NAMES[object.shape], colours::NAMES[object.colour]);
    let alike = |same: &dyn Fn(&Object) -> bool| scene.objects.iter().filter(|o| same(o)).count() == 1;
    let mut names = Vec::new();
    if alike(&|o| o.shape == object.shape) {
        names.push(shape.to_string());
    }
    if alike(&|o| o.colour == object.colour) {
        names.push(format!("{colour} {}", rng.pick(&["shape", "object"])));
    }
    if alike(&|o| o.shape == object.shape && o.colour == object.colour) {
        names.push(format!("{colour} {shape}"));
        names.push(format!("{colour} {shape}"));
    }
    (!names.is_empty()).then(|| rng.pick(&names).clone())
}

pub(super) fn ask(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let objects = &scene.objects;
    let shapes_of: Vec<Shape> = objects.iter().map(|o| o.shape).collect();
    let colours_of: Vec<Colour> = objects.iter().map(|o| o.colour).collect();
    let unique: Vec<&Object> =
        objects.iter().filter(|o| shapes_of.iter().filter(|s| **s == o.shape).count() == 1).collect();
    for object in some(rng, &unique, 2) {
        let shape = shapes::NAMES[object.shape];
        let question = say(rng, &COLOR, &[shape]);
        asks.push(leaning(rng, Kind::Color, question, colours::NAMES[object.colour], &format!("the {shape}")));
    }
    let unique: Vec<&Object> =
        objects.iter().filter(|o| colours_of.iter().filter(|c| **c == o.colour).count() == 1).collect();
    for object in some(rng, &unique, 2) {
        let colour = colours::NAMES[object.colour];
        let question = say(rng, &SHAPE, &[colour]);
        asks.push(leaning(rng, Kind::Shape, question, shapes::NAMES[object.shape], &format!("the {colour} one")));
    }
    if let [only] = objects.as_slice() {
        let question = say(rng, &["what shape is this", "what shape is it", "what shape do you see"], &[]);
        asks.push(plain(Kind::Shape, question, shapes::NAMES[only.shape]));
    }
    if objects.len() > 1 && colours_of.iter().all(|c| *c == colours_of[0]) && rng.chance(0.5) {
        let wordings = ["what color are the shapes", "which color are the shapes", "what color are they"];
        asks.push(plain(Kind::Color, say(rng, &wordings, &[]), colours::NAMES[colours_of[0]]));
    }
    size(rng, scene, asks);
    background(rng, scene, asks);
    if rng.chance(0.14) {
        absent(rng, &shapes_of, &colours_of, asks);
    }
}

fn some<'a>(rng: &mut Rng, of: &[&'a Object], most: usize) -> Vec<&'a Object> {
    let mut all = of.to_vec();
    rng.shuffle(&mut all);
    all.truncate(most);
    all
}

fn size(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let mut sorted: Vec<&Object> = scene.objects.iter().collect();
    sorted.sort_by(|a, b| a.r.total_cmp(&b.r));
    let [.., second, largest] = sorted.as_slice() else { return };
    let extreme = if largest.r >= second.r * LARGER {
        Some((*largest, *rng.pick(&["largest", "biggest"])))
    } else if sorted[1].r >= sorted[0].r * LARGER {
        Some((sorted[0], "smallest"))
    } else {
        None
    };
    if let Some((object, word)) = extreme {
        if rng.chance(0.5) {
            let noun = *rng.pick(&["shape", "object"]);
            let question = say(rng, &COLOR[..5], &[&format!("{word} {noun}")]);
            asks.push(plain(Kind::Size, question, colours::NAMES[object.colour]));
        } else {
            let wordings = ["what shape is the {0} one", "which shape is the {0}", "what is the {0} shape"];
            asks.push(plain(Kind::Size, say(rng, &wordings, &[word]), shapes::NAMES[object.shape]));
        }
    }
    // Which of two: the answer first.
    let truth = rng.chance(0.5);
    for _ in 0..8 {
        let (a, b) = (*rng.pick(&sorted), *rng.pick(&sorted));
        let (larger, smaller) = if a.r > b.r { (a, b) } else { (b, a) };
        if larger.r < smaller.r * LARGER {
            continue;
        }
        let (Some(one), Some(other)) = (name(larger, scene, rng), name(smaller, scene, rng)) else { continue };
        let (one, other) = if rng.chance(0.5) { (one, other) } else { (other, one) };
        let first_is_larger = sorted.len() > 1 && name_is(&one, larger);
        let word = if truth == first_is_larger { *rng.pick(&["bigger", "larger"]) } else { "smaller" };
        let wordings =
            ["is the {0} {2} than the {1}", "is the {0} {2} than the {1}", "would you say the {0} is {2} than the {1}"];
        asks.push(plain(Kind::Size, say(rng, &wordings, &[&one, &other, word]), yes(truth)));
        break;
    }
}

/// Whether `name` is a name of `object`, given that it names one of two objects it tells apart.
fn name_is(name: &str, object: &Object) -> bool {
    let has_shape = name.contains(shapes::NAMES[object.shape]);
    let has_colour = name.starts_with(colours::NAMES[object.colour]);
    let coloured = colours::NAMES.iter().any(|c| name.starts_with(c));
    let shaped = shapes::NAMES.iter().any(|s| name.ends_with(s));
    (!coloured || has_colour) && (!shaped || has_shape)
}

fn background(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let fills = !scene.areas.is_empty();
    if let Some(colour) = scene.background.colour.filter(|_| !fills && rng.chance(0.4)) {
        let question = say(rng, &COLOR[..5], &["background"]);
        asks.push(leaning(rng, Kind::Background, question, colours::NAMES[colour], "the background"));
    }
}

/// The colour of a shape, or the shape of a colour, that is not there.
fn absent(rng: &mut Rng, shapes_of: &[Shape], colours_of: &[Colour], asks: &mut Vec<Ask>) {
    if rng.chance(0.6) {
        let shape = rng.below(shapes::NAMES.len());
        if !shapes_of.contains(&shape) {
            let name = shapes::NAMES[shape];
            asks.push(plain(Kind::Absent, say(rng, &COLOR, &[name]), format!("There is no {name}.")));
        }
    } else {
        let colour = rng.below(colours::NAMES.len());
        if !colours_of.contains(&colour) {
            let name = colours::NAMES[colour];
            asks.push(plain(Kind::Absent, say(rng, &SHAPE, &[name]), format!("There is no {name} shape.")));
        }
    }
}
