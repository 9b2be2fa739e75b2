//! The texts, without a GPU: naga accepts them, and they keep within what every browser grants.
//!
//! naga is Firefox's compiler and wgpu's. It does not check that barriers are reached by all threads alike, as Chrome's does.

use loupe::exec::gpu::{Format, Variant, kernels::Kernel};
use naga::{
    AddressSpace,
    valid::{Capabilities, ValidationFlags, Validator},
};

/// What every GPU can do, and what some can.
pub const VARIANTS: [Variant; 2] = [Variant { f16: false, subgroups: None }, Variant { f16: true, subgroups: Some(4) }];

pub fn texts(variant: Variant) -> Vec<(String, String)> {
    let formats = |kernel: Kernel| match kernel.reads_weights() {
        true => Format::ALL.map(Some).to_vec(),
        false => vec![None],
    };
    let each = |kernel: Kernel| {
        formats(kernel).into_iter().map(move |f| (format!("{kernel:?} {f:?}"), kernel.wgsl(f, variant)))
    };
    Kernel::ALL.into_iter().flat_map(each).collect()
}

#[test]
fn every_kernel_is_valid_and_within_the_least_limits() {
    let mut wrong = Vec::new();
    for (variant, (name, text)) in
        VARIANTS.into_iter().flat_map(|variant| texts(variant).into_iter().map(move |t| (variant, t)))
    {
        let module = match naga::front::wgsl::parse_str(&text) {
            Ok(module) => module,
            Err(error) => {
                wrong.push(format!("{name}: {}", error.emit_to_string(&text)));
                continue;
            }
        };
        // Halves in memory that become f32 in registers are part of WebGPU, whatever naga calls them.
        let mut granted = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        if variant.f16 {
            granted |= Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP;
        }
        let info = Validator::new(ValidationFlags::all(), granted).validate(&module);
        if let Err(error) = info {
            wrong.push(format!("{name}: {}", error.emit_to_string(&text)));
        }
        let threads: u32 = module.entry_points[0].workgroup_size.iter().product();
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let globals = || module.global_variables.iter().map(|(_, global)| global);
        let shared: u32 = globals().filter(|g| g.space == AddressSpace::WorkGroup).map(|g| layouter[g.ty].size).sum();
        let storage = globals().filter(|g| matches!(g.space, AddressSpace::Storage { .. })).count();
        if threads > 256 || shared > 16_384 || storage > 8 {
            wrong.push(format!("{name}: {threads} threads, {shared} bytes of workgroup memory, {storage} buffers"));
        }
        // Chrome wants `enable` lines for these, and not every GPU has them.
        for feature in ["enable ", "subgroup", "f16>", "requires "] {
            if !variant.f16 && text.contains(feature) {
                wrong.push(format!("{name}: asks for `{feature}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(texts(VARIANTS[0]).len() > 30);
}

#[test]
fn every_file_of_a_kernel_is_one_of_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/exec/gpu/wgsl");
    let texts: Vec<String> = VARIANTS.into_iter().flat_map(texts).map(|(_, text)| text).collect();
    for folder in [folder.to_owned(), format!("{folder}/format"), format!("{folder}/shared")] {
        for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().is_file()) {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            assert!(texts.iter().any(|t| t.contains(&text)), "{} is in no kernel", entry.path().display());
        }
    }
}
