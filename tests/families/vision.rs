//! The encoders: every view's pixels, each layer and the rows for the decoder equal the original's, and so does the prompt.

use loupe::{
    exec::AnyExecutor,
    graph::Trace,
    image::{Rgb, patches::patch_rows, views::views},
    session::{Model, picture_shape},
    text::prompt::{Item, PictureShape},
};
use sha2::{Digest, Sha256};

use crate::{
    adapter::rounding,
    fixture::{Case, FAMILIES, Family, executors, picture, three_rows},
};

/// Both sides round each product and sum to f32. Over a dot product of n terms, errors of random sign grow as √n·2⁻²⁴; the
/// longest has 768 terms, a value passes through about six such sums in each of up to five layers, and each side errs on its
/// own.
const BOUND: f32 = 2.0 * 30.0 * 27.7 * 5.96e-8;

fn open(family: &Family, executor: AnyExecutor) -> Model {
    Model::open(family.file("text"), family.file("mmproj"), executor).unwrap()
}

/// The views of a case's pictures and what a prompt needs to know of them; fails where a pixel differs.
fn looked_at(model: &Model, family: &Family, case: &Case) -> (Vec<Rgb>, Vec<PictureShape>) {
    let (mut all, mut shapes) = (Vec::new(), Vec::new());
    for (at, &given) in case.pictures.iter().enumerate() {
        let picture = picture(given);
        let layout = model.slicing.layout(picture.width, picture.height).unwrap();
        let views = views(&picture, &layout);
        let sizes: Vec<_> = views.iter().map(|view| [view.width, view.height]).collect();
        assert_eq!(sizes, case.views[at], "{} {}: views", family.name, case.name);
        let mut hash = Sha256::new();
        views.iter().for_each(|view| hash.update(&view.pixels));
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, case.pixels[at], "{} {}: pixels of picture {at}", family.name, case.name);
        shapes.push(picture_shape(&layout, model));
        all.extend(views);
    }
    (all, shapes)
}

#[test]
fn prompts_and_pixels_are_the_originals() {
    for name in FAMILIES {
        let family = Family::load(name);
        let model = open(&family, AnyExecutor::default());
        for case in &family.cases {
            let (_, shapes) = looked_at(&model, &family, case);
            let mut messages = Vec::new();
            for (at, [question, answer]) in case.history.iter().enumerate() {
                let pictures = if at == 0 { case.pictures.len() } else { 0 };
                messages.push(model.message("user", pictures, question));
                messages.push(model.message("assistant", 0, answer));
            }
            let pictures = if messages.is_empty() { case.pictures.len() } else { 0 };
            messages.push(model.message("user", pictures, &case.question));
            let items = model.prompt(&messages, true, &shapes).unwrap();
            assert_eq!(items.len(), case.ids.len(), "{name} {}: tokens of {:?}", case.name, case.text);
            // Which token stands for a row is the original's affair; that it is one and the same is checked.
            let mut placeholder = None;
            for (at, (item, &id)) in items.iter().zip(&case.ids).enumerate() {
                match item {
                    Item::Token(token) => assert_eq!(*token, id, "{name} {}: token {at}", case.name),
                    Item::PictureRow { .. } => {
                        assert_eq!(*placeholder.get_or_insert(id), id, "{name} {}: a row at {at}", case.name);
                    }
                }
            }
        }
    }
}

#[test]
fn every_layer_and_row_is_the_originals() {
    for name in FAMILIES {
        let family = Family::load(name);
        let executors = executors();
        let best = executors.iter().rposition(|executor| matches!(executor, AnyExecutor::Cpu(_)));
        for (nth, executor) in executors.into_iter().enumerate() {
            let bound = BOUND + rounding(&executor);
            let mut model = open(&family, executor);
            let mut checked = 0;
            // The reference and the machine's best instructions see all, the others what the fixture has most of.
            let cases = if nth == 0 || Some(nth) == best { &family.cases[..] } else { &family.cases[..2] };
            for case in cases {
                let (views, _) = looked_at(&model, &family, case);
                for (i, view) in views.iter().enumerate() {
                    checked += encode(&mut model, &family, &format!("{}.view.{i}", case.name), view, bound);
                }
            }
            // Of two cases every view's embedding, layers and rows.
            let layers = model.config.vision.layers;
            assert!(checked >= 2 * (layers + 2), "{name}: only {checked} stages were compared");
        }
    }
}

/// Encodes a view and compares what the fixture has of it; how many stages that was.
fn encode(model: &mut Model, family: &Family, view: &str, pixels: &Rgb, bound: f32) -> usize {
    let vision = &model.config.vision;
    let (width, layers, deep) = (vision.layer.width, vision.layers, model.config.text.layer.width);
    let patches = patch_rows(pixels, vision.patch as u32, &model.normalise).unwrap();
    let grid = vision.grid(pixels.width, pixels.height);
    let mut trace = Trace::with_values();
    let rows = pollster::block_on(model.encode(&patches, grid, Some(&mut trace))).unwrap();
    let mut stages = vec![("embed".to_owned(), "v.embedded".to_owned()), ("post".into(), "v.post_ln".into())];
    stages.extend((0..layers).map(|n| (format!("layer.{n}"), format!("v.blk.{n}"))));
    let mut checked = 0;
    for (theirs, ours) in stages {
        let name = format!("{view}.{theirs}");
        if family.floats(&name).is_some() {
            family.check(&name, &three_rows(trace.values(&ours).unwrap(), width), bound);
            checked += 1;
        }
    }
    // Files of a decoder that scales its rows hold the connector divided by that.
    let scale = model.config.text.embedding_scale.unwrap_or(1.0);
    let rows = if rows.len() / deep <= 8 { rows } else { three_rows(&rows, deep) };
    let rows: Vec<f32> = rows.into_iter().map(|value| value * scale).collect();
    family.check(&format!("{view}.rows"), &rows, bound);
    checked + 1
}
