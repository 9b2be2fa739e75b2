//! The kernels' texts, and the pipelines made of them.
//!
//! A kernel is a file, joined with those parts of `shared` that it uses; one that reads weights also with the file of their
//! format. What a GPU has more than others changes parts, not kernels. What else differs are `override` constants.

use std::collections::HashMap;

use super::{device::Device, variant::Variant, weights::Format};
use crate::graph::Act;

/// A kernel: its name, and its text without what it is joined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    Add,
    Attend,
    Columns,
    Convolve,
    Copy,
    Delta,
    Gate,
    Map,
    Matmul,
    Matvec,
    Norm,
    Rope,
    Rows,
    Store,
    TopK,
    Turn,
    Unpack,
}

/// A kernel, the format of its weights if it reads any, and the values of its constants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shader {
    pub kernel: Kernel,
    pub format: Option<Format>,
    pub constants: Vec<(&'static str, u32)>,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Add,
        Self::Attend,
        Self::Columns,
        Self::Convolve,
        Self::Copy,
        Self::Delta,
        Self::Gate,
        Self::Map,
        Self::Matmul,
        Self::Matvec,
        Self::Norm,
        Self::Rope,
        Self::Rows,
        Self::Store,
        Self::TopK,
        Self::Turn,
        Self::Unpack,
    ];

    /// Its file, and what it is joined with.
    fn text(self) -> (&'static str, &'static [Part]) {
        match self {
            Self::Add => (include_str!("wgsl/add.wgsl"), &[Part::Each]),
            Self::Attend => (include_str!("wgsl/attend.wgsl"), &[Part::Team]),
            Self::Columns => (include_str!("wgsl/columns.wgsl"), &[Part::Each]),
            Self::Convolve => (include_str!("wgsl/convolve.wgsl"), &[]),
            Self::Copy => (include_str!("wgsl/copy.wgsl"), &[Part::Each]),
            Self::Delta => (include_str!("wgsl/delta.wgsl"), &[]),
            Self::Gate => (include_str!("wgsl/gate.wgsl"), &[Part::Each, Part::Act]),
            Self::Map => (include_str!("wgsl/map.wgsl"), &[Part::Each, Part::Act]),
            Self::Matmul => (include_str!("wgsl/matmul.wgsl"), &[Part::Weights, Part::Act, Part::Tile]),
            Self::Matvec => (include_str!("wgsl/matvec.wgsl"), &[Part::Weights, Part::Act, Part::Team]),
            Self::Norm => (include_str!("wgsl/norm.wgsl"), &[Part::Team]),
            Self::Rope => (include_str!("wgsl/rope.wgsl"), &[Part::Each]),
            Self::Rows => (include_str!("wgsl/rows.wgsl"), &[Part::Each]),
            Self::Store => (include_str!("wgsl/store.wgsl"), &[Part::Each, Part::HalfBits]),
            Self::TopK => (include_str!("wgsl/topk.wgsl"), &[]),
            Self::Turn => (include_str!("wgsl/turn.wgsl"), &[Part::Each, Part::HalfBits]),
            Self::Unpack => (include_str!("wgsl/unpack.wgsl"), &[Part::Each, Part::Weights]),
        }
    }

    fn has(self, part: Part) -> bool {
        self.text().1.contains(&part)
    }

    /// Whether it reads weights of any format.
    pub fn reads_weights(self) -> bool {
        self.has(Part::Weights)
    }

    /// The whole text, for weights of a format if it reads any.
    pub fn wgsl(self, format: Option<Format>, variant: Variant) -> String {
        let (text, parts) = self.text();
        let f16 = variant.f16 && self.has(Part::Tile);
        let mut whole = if f16 { "enable f16;\n".to_owned() } else { String::new() };
        whole.push_str(include_str!("wgsl/shared/values.wgsl"));
        for part in parts {
            match part {
                Part::Act => whole.push_str(include_str!("wgsl/shared/act.wgsl")),
                Part::Each => whole.push_str(include_str!("wgsl/shared/each.wgsl")),
                Part::HalfBits => whole.push_str(include_str!("wgsl/shared/half_bits.wgsl")),
                Part::Team if self.uses_subgroups(variant) => {
                    whole.push_str(include_str!("wgsl/shared/team_subgroups.wgsl"));
                }
                Part::Team => whole.push_str(include_str!("wgsl/shared/team.wgsl")),
                Part::Tile if f16 => whole.push_str(include_str!("wgsl/shared/tile_f16.wgsl")),
                Part::Tile => whole.push_str(include_str!("wgsl/shared/tile_f32.wgsl")),
                Part::Weights => {
                    whole.push_str(include_str!("wgsl/shared/eight.wgsl"));
                    whole.extend(format.map(format_text));
                }
            }
        }
        whole.push_str(text);
        whole
    }

    fn uses_subgroups(self, variant: Variant) -> bool {
        variant.subgroups.is_some() && self.has(Part::Team)
    }
}

/// What a kernel's text is joined with, from `wgsl/shared`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Activations.
    Act,
    /// A thread for each number.
    Each,
    /// Conversion to halves.
    HalfBits,
    /// Sums over teams of threads.
    Team,
    /// Tiles in workgroup memory.
    Tile,
    /// Weights of a format.
    Weights,
}

fn format_text(format: Format) -> String {
    const HALVES: &str = include_str!("wgsl/shared/halves.wgsl");
    const NIBBLES: &str = include_str!("wgsl/shared/nibbles.wgsl");
    const SUPERS: &str = include_str!("wgsl/shared/supers.wgsl");
    let parts: &[&str] = match format {
        Format::F32 => &[include_str!("wgsl/format/f32.wgsl")],
        Format::F16 => &[include_str!("wgsl/format/f16.wgsl")],
        Format::Q8_0 => &[HALVES, include_str!("wgsl/format/q8_0.wgsl")],
        Format::Q4_0 => &[NIBBLES, HALVES, include_str!("wgsl/format/q4_0.wgsl")],
        Format::Q5_0 => &[NIBBLES, HALVES, include_str!("wgsl/format/q5_0.wgsl")],
        Format::Q4_K => &[NIBBLES, SUPERS, include_str!("wgsl/format/q4_k.wgsl")],
        Format::Q5_K => &[NIBBLES, SUPERS, include_str!("wgsl/format/q5_k.wgsl")],
        Format::Q6_K => &[NIBBLES, include_str!("wgsl/format/q6_k.wgsl")],
    };
    parts.concat()
}

/// The value of the constant `ACT`, as `wgsl/shared/act.wgsl` counts.
pub fn act_code(act: Option<Act>) -> u32 {
    match act {
        None => 0,
        Some(Act::Silu) => 1,
        Some(Act::GeluTanh) => 2,
        Some(Act::GeluErf) => 3,
        Some(Act::GeluQuick) => 4,
        Some(Act::Sigmoid) => 5,
        Some(Act::Softplus) => 6,
    }
}

/// The kernels that were needed so far, compiled.
pub struct Pipelines<D: Device> {
    variant: Variant,
    places: HashMap<Shader, usize>,
    all: Vec<D::Pipeline>,
}

impl<D: Device> Pipelines<D> {
    /// None yet; what is compiled will be of this variant.
    pub fn new(variant: Variant) -> Self {
        Self { variant, places: HashMap::new(), all: Vec::new() }
    }

    /// What the kernels use.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Where a kernel is, compiled if it is needed for the first time.
    pub fn find(&mut self, device: &D, shader: &Shader) -> usize {
        if let Some(&at) = self.places.get(shader) {
            return at;
        }
        let mut constants: Vec<_> = shader.constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        if shader.kernel.uses_subgroups(self.variant) {
            constants.extend(self.variant.subgroups.map(|least| ("LEAST", f64::from(least))));
        }
        let label = format!("{:?} {:?}", shader.kernel, shader.format);
        self.all.push(device.pipeline(&label, &shader.kernel.wgsl(shader.format, self.variant), &constants));
        self.places.insert(shader.clone(), self.all.len() - 1);
        self.all.len() - 1
    }

    /// A compiled kernel.
    pub fn get(&self, at: usize) -> &D::Pipeline {
        &self.all[at]
    }
}
