//! Stripes, borders and quarters.

use super::phrase::{leaning, plain, say, yes};
use super::{Ask, Kind};
use crate::probe::colours;
use crate::probe::rng::Rng;
use crate::probe::scene::{Area, Place, Scene};

const COLOR: [&str; 4] =
    ["what color is the {0}", "what is the color of the {0}", "which color is the {0}", "what color does the {0} have"];

pub(super) fn ask(rng: &mut Rng, scene: &Scene, asks: &mut Vec<Ask>) {
    let areas = &scene.areas;
    let Some(first) = areas.first() else { return };
    let mut order: Vec<&Area> = areas.iter().collect();
    rng.shuffle(&mut order);
    let mut asked = 0;
    for area in order {
        let Some(names) = names(area.place) else { continue };
        let name = *rng.pick(names);
        let question = say(rng, &COLOR, &[name]);
        asks.push(leaning(rng, Kind::Border, question, colours::NAMES[area.colour], &format!("the {name}")));
        asked += 1;
        if asked == 4 {
            break;
        }
    }
    let whole = match first.place {
        Place::Column { count, .. } | Place::Row { count, .. } => count == areas.len(),
        Place::Border(_) => false,
        Place::Corner(_) => areas.len() == 4,
    };
    if whole {
        let stripes = !matches!(first.place, Place::Corner(_));
        let noun = if stripes { *rng.pick(&["stripe", "band"]) } else { "area" };
        if stripes {
            let wordings = ["how many {0}s are there", "count the {0}s.", "how many {0}s do you see"];
            asks.push(plain(Kind::Count, say(rng, &wordings, &[noun]), areas.len().to_string()));
        }
        present(rng, areas, noun, asks);
        beside(rng, areas, noun, asks);
    }
}

/// What people call an area, if its place has a name.
fn names(place: Place) -> Option<&'static [&'static str]> {
    const COLUMNS: [&[&str]; 3] = [
        &["leftmost stripe", "stripe on the left", "left side", "leftmost band", "leftmost area"],
        &["rightmost stripe", "stripe on the right", "right side", "rightmost band", "rightmost area"],
        &["middle stripe", "stripe in the middle", "middle band"],
    ];
    const ROWS: [&[&str]; 3] = [
        &["topmost stripe", "top stripe", "stripe at the top", "top band", "top area"],
        &["bottommost stripe", "bottom stripe", "stripe at the bottom", "bottom band", "bottom area"],
        &["middle stripe", "stripe in the middle", "middle band"],
    ];
    const BORDERS: [&[&str]; 4] = [
        &["left border", "left edge", "border on the left", "left side"],
        &["right border", "right edge", "border on the right", "right side"],
        &["top border", "top edge", "border at the top", "top side"],
        &["bottom border", "bottom edge", "border at the bottom", "bottom side"],
    ];
    const CORNERS: [&[&str]; 4] = [
        &["top left area", "top left corner", "upper left area", "top left quarter"],
        &["top right area", "top right corner", "upper right area", "top right quarter"],
        &["bottom left area", "bottom left corner", "lower left area", "bottom left quarter"],
        &["bottom right area", "bottom right corner", "lower right area", "bottom right quarter"],
    ];
    let stripe = |index: usize, count: usize| match index {
        0 => Some(0),
        i if i + 1 == count => Some(1),
        i if 2 * i + 1 == count => Some(2),
        _ => None,
    };
    match place {
        Place::Column { index, count } => stripe(index, count).map(|i| COLUMNS[i]),
        Place::Row { index, count } => stripe(index, count).map(|i| ROWS[i]),
        Place::Border(side) => BORDERS.get(side).copied(),
        Place::Corner(corner) => CORNERS.get(corner).copied(),
    }
}

fn present(rng: &mut Rng, areas: &[Area], noun: &str, asks: &mut Vec<Ask>) {
    let truth = rng.chance(0.5);
    for _ in 0..20 {
        let colour = rng.below(colours::NAMES.len());
        if areas.iter().any(|a| a.colour == colour) == truth {
            let name = format!("{} {noun}", colours::NAMES[colour]);
            let question = say(rng, &["is there a {0}", "do you see a {0}", "is there a {0} in the picture"], &[&name]);
            asks.push(leaning(rng, Kind::Presence, question, yes(truth), &format!("a {name}")));
            return;
        }
    }
}

/// Whether one stripe lies before another.
fn beside(rng: &mut Rng, areas: &[Area], noun: &str, asks: &mut Vec<Ask>) {
    let (mut i, mut j) = (rng.below(areas.len()), rng.below(areas.len()));
    if i == j {
        return;
    }
    let truth = rng.chance(0.5);
    let words = match areas[0].place {
        Place::Column { .. } => ["left of", "right of"],
        Place::Row { .. } => ["above", "below"],
        _ => return,
    };
    if rng.chance(0.5) {
        (i, j) = (j, i);
    }
    let word = words[usize::from((i < j) != truth)];
    let [a, b] = [i, j].map(|k| format!("{} {noun}", colours::NAMES[areas[k].colour]));
    asks.push(plain(Kind::Relation, say(rng, &["is the {0} {2} the {1}"], &[&a, &b, word]), yes(truth)));
}
