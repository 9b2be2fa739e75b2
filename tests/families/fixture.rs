//! What a folder of tests/fixtures/families holds; its README says what each name means.

use std::{collections::HashMap, fs, path::PathBuf};

use candle_core::{Device, Tensor, safetensors};
use loupe::{
    exec::{
        AnyExecutor, Cpu, Reference,
        cpu::{isa::Isa, pool::Pool},
    },
    gguf::File,
    image::Rgb,
};
use serde::Deserialize;

/// Every family there is a fixture of.
pub const FAMILIES: [&str; 8] = [
    "smolvlm",
    "minicpmv4_6",
    "minicpmv4_6-4x",
    "lfm2vl",
    "minicpmv-qwen2",
    "minicpmv-qwen3",
    "minicpmv-minicpm",
    "llava",
];

/// A tiny model and what its original makes of some cases.
pub struct Family {
    pub name: &'static str,
    pub cases: Vec<Case>,
    tensors: HashMap<String, Tensor>,
}

/// A conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    pub name: String,
    /// Width, height and seed of each picture; all come before the first question.
    pub pictures: Vec<[u32; 3]>,
    /// Questions and answers before the question.
    pub history: Vec<[String; 2]>,
    pub question: String,
    /// Width and height of each view of each picture.
    pub views: Vec<Vec<[u32; 2]>>,
    /// SHA-256 of each picture's views.
    pub pixels: Vec<String>,
    /// The prompt, placeholders expanded.
    pub text: String,
    /// The prompt as tokens; a row of a picture is a placeholder.
    pub ids: Vec<u32>,
    /// Tokens of the greedy answer.
    pub answer: Option<Vec<u32>>,
}

impl Family {
    /// Reads a folder.
    pub fn load(name: &'static str) -> Self {
        let path = folder(name).join("cases.safetensors");
        let bytes = fs::read(&path).unwrap();
        let tensors = safetensors::load(path, &Device::Cpu).unwrap();
        // A safetensors file begins with the length of its JSON header, which holds the metadata.
        let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
        let cases = serde_json::from_str(header["__metadata__"]["cases"].as_str().unwrap()).unwrap();
        Self { name, cases, tensors }
    }

    /// Its language model or its vision encoder: `text` or `mmproj`.
    pub fn file(&self, part: &str) -> File {
        File::read(&self.bytes(part)[..]).unwrap()
    }

    /// The same, unread.
    pub fn bytes(&self, part: &str) -> Vec<u8> {
        fs::read(folder(self.name).join(format!("{part}.gguf"))).unwrap()
    }

    /// The case of this name.
    pub fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|case| case.name == name).unwrap()
    }

    /// A tensor's numbers, if the fixture has it.
    pub fn floats(&self, name: &str) -> Option<Vec<f32>> {
        Some(self.tensors.get(name)?.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    }

    /// Fails, naming the worst element, when a stage is off by more than `bound` of the largest that the original has.
    #[track_caller]
    pub fn check(&self, stage: &str, got: &[f32], bound: f32) {
        let want = self.floats(stage).unwrap_or_else(|| panic!("{}: no {stage}", self.name));
        assert_eq!(got.len(), want.len(), "{} {stage}: elements", self.name);
        let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
        let off = |at: usize| if (got[at] - want[at]).is_nan() { f32::INFINITY } else { (got[at] - want[at]).abs() };
        let worst = (0..want.len()).max_by(|&a, &b| off(a).total_cmp(&off(b))).unwrap();
        assert!(
            off(worst) <= bound * scale,
            "{} {stage}: element {worst} is {}, the original has {}; off by {} of the largest, allowed {bound}",
            self.name,
            got[worst],
            want[worst],
            off(worst) / scale
        );
    }
}

/// Three rows of a matrix: the first, the middle and the last.
pub fn three_rows(matrix: &[f32], cols: usize) -> Vec<f32> {
    let rows = matrix.len() / cols;
    [0, rows / 2, rows - 1].iter().flat_map(|row| &matrix[row * cols..][..cols]).copied().collect()
}

/// The picture that a fixture's formula draws.
pub fn picture([width, height, seed]: [u32; 3]) -> Rgb {
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let smooth = x * 7 + y * 13 + c * 53 + ((x * y) >> 5) + seed * 31;
                pixels.push(((smooth ^ ((x >> 3) * (y >> 2) * 5)) & 255) as u8);
            }
        }
    }
    Rgb::new(width, height, pixels).unwrap()
}

/// The reference, the processor with all instructions it has, and the GPU if there is one.
pub fn executors() -> Vec<AnyExecutor> {
    let cpu = |isa| AnyExecutor::Cpu(Box::new(Cpu::with(isa, Pool::new(2))));
    let cpus = Isa::available().into_iter().map(cpu);
    std::iter::once(AnyExecutor::Reference(Reference::default())).chain(cpus).chain(crate::adapter::gpus()).collect()
}

/// `cargo xtask fixtures --check` names others than the committed ones.
fn folder(name: &str) -> PathBuf {
    let committed = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    std::env::var_os("LOUPE_FAMILIES").map_or_else(committed, PathBuf::from).join(name)
}
