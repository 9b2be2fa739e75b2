//! Every stage of the network against PyTorch, from fixtures that the training code wrote (tests/fixtures/stages).

#![allow(clippy::unwrap_used)]

mod adapter;

use std::{collections::HashMap, fs::File as Open, path::PathBuf};

use candle_core::{Device, Tensor, safetensors};
use loupe::{
    exec::{
        AnyExecutor, Cpu, Reference,
        cpu::{isa::Isa, pool::Pool},
    },
    gguf::File,
    graph::Trace,
    image::{Rgb, patches::patch_rows, views::views},
    session::Model,
    text::prompt::{Item, PictureShape},
};

const CASES: [&str; 5] = ["whole", "small", "two", "four", "odd"];
const FLAVOURS: [&str; 4] = ["f32", "f16", "q8_0", "q4_0"];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stages").join(name)
}

fn open(flavour: &str, executor: AnyExecutor) -> Model {
    let read = |name: String| File::read(Open::open(fixture(&name)).unwrap()).unwrap();
    let [text, vision] = ["micro", "mmproj-micro"].map(|name| read(format!("{name}-{flavour}.gguf")));
    Model::open(text, vision, executor).unwrap()
}

/// What PyTorch computed for one picture and conversation.
struct Case {
    name: &'static str,
    tensors: HashMap<String, Tensor>,
    turns: Vec<[String; 2]>,
}

impl Case {
    fn load(name: &'static str) -> Self {
        let path = fixture(&format!("{name}.safetensors"));
        let tensors = safetensors::load(&path, &Device::Cpu).unwrap();
        // A safetensors file begins with the length of its JSON header, which holds the metadata.
        let bytes = std::fs::read(path).unwrap();
        let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
        let turns = serde_json::from_str(header["__metadata__"]["turns"].as_str().unwrap()).unwrap();
        Self { name, tensors, turns }
    }

    fn picture(&self, name: &str) -> Rgb {
        let tensor = &self.tensors[name];
        let (height, width, _) = tensor.dims3().unwrap();
        let pixels = tensor.flatten_all().unwrap().to_vec1::<u8>().unwrap();
        Rgb::new(width as u32, height as u32, pixels).unwrap()
    }

    fn ids(&self, name: &str) -> Vec<i32> {
        self.tensors[name].to_vec1::<i32>().unwrap()
    }

    fn floats(&self, name: &str) -> Option<Vec<f32>> {
        Some(self.tensors.get(name)?.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    }

    /// Compares with what PyTorch has, if it kept this stage; gives whether it did.
    #[track_caller]
    fn check(&self, stage: &str, got: &[f32], bound: f32) -> bool {
        let Some(want) = self.floats(stage) else { return false };
        assert_eq!(got.len(), want.len(), "{} {stage}: elements", self.name);
        let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
        let (at, worst) = got
            .iter()
            .zip(&want)
            .map(|(g, w)| if (g - w).is_nan() { f32::INFINITY } else { (g - w).abs() })
            .enumerate()
            .fold((0, 0f32), |m, (i, d)| if d > m.1 { (i, d) } else { m });
        assert!(
            worst <= bound * scale,
            "{} {stage}: element {at} is {}, PyTorch has {}; off by {} of the largest, allowed {bound}",
            self.name,
            got[at],
            want[at],
            worst / scale
        );
        true
    }
}

/// Both sides round each product and sum to f32. Over a dot product of n terms, errors of random sign grow as √n·2⁻²⁴; the
/// longest has 588 terms, a value passes through at most about 20 such sums in a row, and each side errs on its own.
const BOUND: f32 = 2.0 * 20.0 * 24.3 * 5.96e-8;

/// The cpu executor keeps keys and values as halves (an error of 2⁻¹² of each, in three layers), and multiplies quantised weights
/// by activations that it rounds to one of 255 steps a group: each element errs by 1/254 of the group's largest at most,
/// 1/254/√3 in the mean, so a sum of products by about 0.23 % of its largest for each element at its group's largest, and some
/// 20 layers in a row by √20 times as much. Outliers among thousands of elements are three times the mean.
const HALVES: f32 = 3.0 * 3.0 / 4096.0;
const EIGHT_BITS: f32 = 3.0 * 0.0023 * 4.5;

/// The prompt of a case as the session would build it, −1 for a row of a picture.
fn prompt_ids(model: &Model, case: &Case, shape: PictureShape) -> Vec<i32> {
    let mut messages = Vec::new();
    for (at, [question, answer]) in case.turns.iter().enumerate() {
        messages.push(model.message("user", usize::from(at == 0), question));
        if at + 1 < case.turns.len() {
            messages.push(model.message("assistant", 0, answer));
        }
    }
    let items = model.prompt(&messages, true, &[shape]).unwrap();
    items.iter().map(|item| if let Item::Token(id) = item { *id as i32 } else { -1 }).collect()
}

fn run(case: &Case, flavour: &str, executor: AnyExecutor, bound: f32) -> usize {
    let exact = bound <= BOUND;
    let mut model = open(flavour, executor);
    let mut checked = 0;
    let picture = case.picture("picture");
    let layout = model.slicing.layout(picture.width, picture.height).unwrap();
    let patch = model.config.vision.patch as u32;
    let mut rows = Vec::new();
    for (k, view) in views(&picture, &layout).iter().enumerate() {
        assert_eq!(*view, case.picture(&format!("view.{k}")), "{} view {k}: pixels", case.name);
        let patches = patch_rows(view, patch, &model.normalise).unwrap();
        let grid = [view.height / patch, view.width / patch].map(|n| n as usize);
        let mut trace = Trace::with_values();
        rows.extend(pollster::block_on(model.encode(&patches, grid, Some(&mut trace))).unwrap());
        let stage = |name: &str| format!("{flavour}/view.{k}.{name}");
        checked += usize::from(case.check(&stage("patches"), &patches, bound));
        checked += usize::from(case.check(&stage("positions"), trace.values("positions").unwrap(), bound));
        for layer in 0..model.config.vision.layers {
            let got = trace.values(&format!("v.blk.{layer}")).unwrap();
            checked += usize::from(case.check(&stage(&format!("vision.{layer}")), got, bound));
        }
        checked += usize::from(case.check(&stage("post_ln"), trace.values("v.post_ln").unwrap(), bound));
        checked += usize::from(case.check(&stage("resampled"), trace.values("connector").unwrap(), bound));
    }

    let (columns, slices) = layout.grid.map_or((0, 0), |g| (g.columns, g.rows));
    let per_view = model.config.view_rows([1, 1]) as u32;
    let shape = PictureShape { columns, rows: slices, slice: per_view, overview: per_view };
    let ids = case.ids("prompt.ids");
    assert_eq!(prompt_ids(&model, case, shape), ids, "{} prompt", case.name);

    // The last positions one at a time, so that the cache is proven too; everything before them at once.
    let kept = case.floats(&format!("{flavour}/prompt.logits")).unwrap().len() / model.config.text.vocabulary;
    let first = ids.len() - kept;
    let width = model.config.text.layer.width;
    let (mut logits, mut last, mut start, mut seen) = (Vec::new(), Vec::new(), 0, 0);
    for end in first + 1..=ids.len() {
        let chunk = &ids[start..end];
        let tokens: Vec<u32> = chunk.iter().filter(|id| **id >= 0).map(|id| *id as u32).collect();
        let pictures = chunk.len() - tokens.len();
        let (mut token, mut picture) = (0, tokens.len() as u32);
        let order: Vec<u32> = chunk
            .iter()
            .map(|id| {
                let next = if *id >= 0 { &mut token } else { &mut picture };
                *next += 1;
                *next - 1
            })
            .collect();
        let shown = &rows[seen * width..(seen + pictures) * width];
        last = pollster::block_on(model.prefill(&tokens, shown, &order, start, None)).unwrap();
        logits.extend(&last);
        (start, seen) = (end, seen + pictures);
    }
    checked += usize::from(case.check(&format!("{flavour}/prompt.logits"), &logits, bound));

    let mut answer = Vec::new();
    for _ in 0..8 {
        let best = (0..last.len()).max_by(|&a, &b| last[a].total_cmp(&last[b]).then(b.cmp(&a))).unwrap();
        answer.push(best as i32);
        last = pollster::block_on(model.decode(best as u32, ids.len() + answer.len() - 1)).unwrap();
    }
    // Between tokens of random weights there is little to choose: only f32 can be held to the very same.
    if exact {
        assert_eq!(answer, case.ids(&format!("{flavour}/answer.ids")), "{} {flavour}: greedy answer", case.name);
    }
    checked
}

#[test]
fn every_stage_equals_pytorch() {
    for name in CASES {
        let case = Case::load(name);
        for flavour in FLAVOURS {
            let checked = run(&case, flavour, AnyExecutor::Reference(Reference::default()), BOUND);
            assert_complete(&case, flavour, checked);
        }
    }
}

#[test]
fn every_stage_on_the_processor_is_near_pytorch() {
    for isa in Isa::available() {
        for name in CASES {
            let case = Case::load(name);
            for flavour in FLAVOURS {
                let bound = HALVES + if flavour.starts_with('q') { EIGHT_BITS } else { 0.0 };
                let cpu = AnyExecutor::Cpu(Box::new(Cpu::with(isa, Pool::new(2))));
                assert_complete(&case, flavour, run(&case, flavour, cpu, bound));
            }
        }
    }
}

#[test]
fn every_stage_on_the_gpu_is_near_pytorch() {
    for name in CASES {
        let case = Case::load(name);
        for flavour in FLAVOURS {
            // One case and flavour shows what a GPU that can do less makes of it.
            let some = if (name, flavour) == ("odd", "q8_0") { usize::MAX } else { 1 };
            for gpu in adapter::gpus().into_iter().take(some) {
                let bound = HALVES + 2.0 * adapter::rounding(&gpu);
                assert_complete(&case, flavour, run(&case, flavour, gpu, bound));
            }
        }
    }
}

#[track_caller]
fn assert_complete(case: &Case, flavour: &str, checked: usize) {
    // In f32: positions, two layers, the norm and the resampler of each view, and the logits.
    let views = case.tensors.keys().filter(|k| k.strip_prefix("view.").is_some_and(|k| !k.contains('.'))).count();
    let least = if flavour == "f32" { 5 * views + 1 } else { views + 1 };
    assert!(checked >= least, "{} {flavour}: only {checked} stages were compared", case.name);
}
