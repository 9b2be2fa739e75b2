//! What is not a model that Loupe runs is refused at its header, naming what is wrong; what converters of other years
//! wrote is understood.

use loupe::{
    ErrorKind,
    exec::AnyExecutor,
    gguf::{Entries, File, Header, write_header},
    image::slice::Slicing,
    model::VlmConfig,
    session::{Model, Opening},
};

use crate::fixture::{FAMILIES, Family};

/// A header and nothing of the weights.
fn header(family: &str, part: &str) -> Vec<u8> {
    let family = FAMILIES.into_iter().find(|name| *name == family).unwrap();
    let mut bytes = Family::load(family).bytes(part);
    let length = Header::parse(&bytes).unwrap().unwrap().data_start;
    bytes.truncate(length);
    bytes
}

/// The bytes with another spelling of the same length.
#[track_caller]
fn renamed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "{from} and {to}");
    let (mut bytes, mut found) = (bytes.to_vec(), 0);
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{from} is not there");
    bytes
}

/// A file, or its header, with other metadata.
fn changed(bytes: &[u8], change: impl Fn(&mut Entries)) -> Vec<u8> {
    let header = Header::parse(bytes).unwrap().unwrap();
    let mut entries = Entries::parse(bytes).unwrap();
    change(&mut entries);
    let mut out = Vec::new();
    write_header(&mut out, &entries, &header.tensors).unwrap();
    out.extend_from_slice(&bytes[header.data_start..]);
    out
}

/// A header with a list of numbers more.
fn with_list(bytes: &[u8], key: &str, numbers: &[i32]) -> Vec<u8> {
    // Magic, version and the number of tensors; then that of entries.
    let (start, entries) = bytes.split_at(24);
    let count = u64::from_le_bytes(start[16..].try_into().unwrap()) + 1;
    let (array, i32s) = (9u32.to_le_bytes(), 5u32.to_le_bytes());
    let lengths = [key.len() as u64, numbers.len() as u64].map(u64::to_le_bytes);
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let mut all =
        [&start[..16], &count.to_le_bytes(), &lengths[0], key.as_bytes(), &array, &i32s, &lengths[1], &numbers]
            .concat();
    all.extend_from_slice(entries);
    all.resize(all.len() + 64, 0);
    all
}

/// What two headers are refused for, if they are.
fn refusal(text: &[u8], vision: &[u8]) -> Option<String> {
    let mut opening = Opening::default();
    let pushed = opening.push(0, text).and_then(|()| opening.push(1, vision));
    pushed.err().map(|error| {
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        error.to_string()
    })
}

#[test]
fn every_tensor_of_an_encoder_must_be_there_in_its_shape() {
    for name in FAMILIES {
        let (text, vision) = (header(name, "text"), header(name, "mmproj"));
        assert_eq!(refusal(&text, &vision), None, "{name}");
        for tensor in Header::parse(&vision).unwrap().unwrap().tensors {
            // What an encoder does without is read from its being there; LLaVA's last norm is not used.
            let without = ["v.class_embd", "v.pre_ln.weight", "v.patch_embd.bias", "mm.input_norm.weight"];
            let unused = name == "llava" && tensor.name.starts_with("v.post_ln");
            if without.contains(&tensor.name.as_str()) || unused || tensor.name == "resampler.pos_embed_k" {
                continue;
            }
            let other = format!("{}?", &tensor.name[..tensor.name.len() - 1]);
            // The name and its length, so that no other that begins with it is meant.
            let spelled = |name: &str| [&(name.len() as u64).to_le_bytes(), name.as_bytes()].concat();
            let at = vision.windows(tensor.name.len() + 8).position(|w| w == spelled(&tensor.name)).unwrap();
            let mut damaged = vision.clone();
            damaged[at..at + tensor.name.len() + 8].copy_from_slice(&spelled(&other));
            let why = refusal(&text, &damaged).unwrap_or_else(|| panic!("{name} is accepted without {}", tensor.name));
            assert!(why.contains(&tensor.name) || why.contains(&other), "{name}, {}: {why}", tensor.name);
        }
    }
}

#[test]
fn what_is_not_supported_is_named_with_what_is() {
    let smolvlm = (header("smolvlm", "text"), header("smolvlm", "mmproj"));
    let minicpm = (header("minicpmv-qwen2", "text"), header("minicpmv-qwen2", "mmproj"));
    let version = changed(&minicpm.1, |entries| entries.set("clip.minicpmv_version", 77));
    let scale =
        changed(&header("minicpmv4_6", "mmproj"), |entries| entries.set("clip.vision.projector.scale_factor", 3));
    let llava = (header("llava", "text"), header("llava", "mmproj"));
    let table = [
        (smolvlm.0.clone(), renamed(&smolvlm.1, "idefics3", "idefics4"), &["`idefics4`", "minicpmv4_6", "lfm2"][..]),
        (smolvlm.0.clone(), smolvlm.0.clone(), &["not a vision encoder"]),
        (renamed(&smolvlm.0, "<global-img>", "<global_img>"), smolvlm.1.clone(), &["`<global-img>`"]),
        (renamed(&smolvlm.0, "<row_2_col_1>", "<row-2-col-1>"), smolvlm.1.clone(), &["`<row_2_col_1>`"]),
        (
            smolvlm.0.clone(),
            renamed(&smolvlm.1, "clip.vision.patch_size", "clip.vision.patch-size"),
            &["`clip.vision.patch_size`"],
        ),
        (minicpm.0.clone(), version, &["version 77", "100045"]),
        (renamed(&minicpm.0, "</slice>", "<_slice>"), minicpm.1.clone(), &["`</slice>`"]),
        (header("minicpmv4_6", "text"), scale, &["3 × 3 patches", "4 × 4"]),
        (llava.0.clone(), with_list(&llava.1, "clip.vision.image_grid_pinpoints", &[336, 672]), &["LLaVA-1.6"]),
        (llava.0.clone(), with_list(&llava.1, "clip.vision.feature_layer", &[1, 2]), &["clip.vision.feature_layer"]),
        (llava.0.clone(), with_list(&llava.1, "clip.vision.feature_layer", &[99]), &["clip.vision.feature_layer"]),
        (smolvlm.0.clone(), minicpm.1.clone(), &["not a pair"]),
        (minicpm.0.clone(), smolvlm.1.clone(), &["not a pair"]),
    ];
    for (text, vision, named) in table {
        let why = refusal(&text, &vision).unwrap_or_else(|| panic!("{named:?} is accepted"));
        for name in named {
            assert!(why.contains(name), "{name}: {why}");
        }
    }
}

#[test]
fn what_other_converters_wrote_is_understood() {
    let parsed = |bytes: &[u8]| Header::parse(bytes).unwrap().unwrap();
    // The layer whose rows are wanted, where the file names it, and the ones after it are in the file.
    let (text, vision) = (header("llava", "text"), header("llava", "mmproj"));
    let all = VlmConfig::read(&parsed(&text), &parsed(&vision)).unwrap().vision.layers;
    let named = with_list(&vision, "clip.vision.feature_layer", &[all as i32 - 1]);
    assert_eq!(VlmConfig::read(&parsed(&text), &parsed(&named)).unwrap().vision.layers, all - 1);
    assert_eq!(refusal(&text, &named), None);

    // The longest side, from before llama.cpp wrote it.
    let family = Family::load("smolvlm");
    let vision = family.bytes("mmproj");
    let old = changed(&vision, |entries| entries.remove("clip.vision.preproc_image_size"));
    let slicing = |vision: &[u8]| {
        let vision = File::read(vision).unwrap();
        Model::open(family.file("text"), vision, AnyExecutor::default()).unwrap().slicing
    };
    let Slicing::Tiles(tiles) = slicing(&old) else { panic!("no tiles") };
    assert_eq!(tiles.longest, 4 * tiles.side);
    assert!(matches!(slicing(&vision), Slicing::Tiles(written) if written.side == tiles.side));
}
