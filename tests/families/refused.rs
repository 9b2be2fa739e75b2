//! What is not a model that Loupe runs is refused at its header, naming what is wrong.

use loupe::{ErrorKind, gguf::Header, session::Opening};

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
    let version = {
        let mut bytes = minicpm.1.clone();
        let key = b"clip.minicpmv_version";
        // After the key comes the value's type.
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len() + 4;
        bytes[at..at + 4].copy_from_slice(&77u32.to_le_bytes());
        bytes
    };
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
