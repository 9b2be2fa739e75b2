//! The kernels' texts, and the pipelines made of them.
//!
//! A kernel is a file; one that reads weights is joined with the file of their format, and with those parts of `shared` that
//! either uses. What else differs are `override` constants.

use std::collections::HashMap;

use super::{device::Device, weights::Format};
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
    Unpack,
}

/// A kernel, the format of its weights if it reads any, and the values of its constants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    pub kernel: Kernel,
    pub format: Option<Format>,
    pub constants: Vec<(&'static str, u32)>,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 16] = [
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
        Self::Unpack,
    ];

    /// Its file, and whether it reads weights of any format, and whether it applies an activation.
    fn text(self) -> (&'static str, bool, bool) {
        match self {
            Self::Add => (include_str!("wgsl/add.wgsl"), false, false),
            Self::Attend => (include_str!("wgsl/attend.wgsl"), false, false),
            Self::Columns => (include_str!("wgsl/columns.wgsl"), false, false),
            Self::Convolve => (include_str!("wgsl/convolve.wgsl"), false, false),
            Self::Copy => (include_str!("wgsl/copy.wgsl"), false, false),
            Self::Delta => (include_str!("wgsl/delta.wgsl"), false, false),
            Self::Gate => (include_str!("wgsl/gate.wgsl"), false, true),
            Self::Map => (include_str!("wgsl/map.wgsl"), false, true),
            Self::Matmul => (include_str!("wgsl/matmul.wgsl"), true, true),
            Self::Matvec => (include_str!("wgsl/matvec.wgsl"), true, true),
            Self::Norm => (include_str!("wgsl/norm.wgsl"), false, false),
            Self::Rope => (include_str!("wgsl/rope.wgsl"), false, false),
            Self::Rows => (include_str!("wgsl/rows.wgsl"), false, false),
            Self::Store => (include_str!("wgsl/store.wgsl"), false, false),
            Self::TopK => (include_str!("wgsl/topk.wgsl"), false, false),
            Self::Unpack => (include_str!("wgsl/unpack.wgsl"), true, false),
        }
    }

    /// Whether it reads weights of any format.
    pub fn reads_weights(self) -> bool {
        self.text().1
    }

    /// The whole text, for weights of a format if it reads any.
    pub fn wgsl(self, format: Option<Format>) -> String {
        const EIGHT: &str = include_str!("wgsl/shared/eight.wgsl");
        let (text, _, acts) = self.text();
        let act = if acts { include_str!("wgsl/shared/act.wgsl") } else { "" };
        let weights = format.map_or_else(String::new, |format| format!("{EIGHT}\n{}", format_text(format)));
        format!("{weights}{act}\n{text}")
    }
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
    parts.join("\n")
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
    places: HashMap<Variant, usize>,
    all: Vec<D::Pipeline>,
}

impl<D: Device> Default for Pipelines<D> {
    fn default() -> Self {
        Self { places: HashMap::new(), all: Vec::new() }
    }
}

impl<D: Device> Pipelines<D> {
    /// Where a kernel is, compiled if it is needed for the first time.
    pub fn find(&mut self, device: &D, variant: &Variant) -> usize {
        if let Some(&at) = self.places.get(variant) {
            return at;
        }
        let constants: Vec<_> = variant.constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        let label = format!("{:?} {:?}", variant.kernel, variant.format);
        self.all.push(device.pipeline(&label, &variant.kernel.wgsl(variant.format), &constants));
        self.places.insert(variant.clone(), self.all.len() - 1);
        self.all.len() - 1
    }

    /// A compiled kernel.
    pub fn get(&self, at: usize) -> &D::Pipeline {
        &self.all[at]
    }
}
