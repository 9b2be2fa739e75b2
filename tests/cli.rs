//! The command line as a person meets it: what is printed where, and the exit codes.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A directory of this test's own, emptied first.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The pair of the tiny model, alone in a directory.
fn model(dir: &Path) -> PathBuf {
    for name in ["micro-q8_0.gguf", "mmproj-micro-q8_0.gguf"] {
        fs::copy(fixture("stages").join(name), dir.join(name)).unwrap();
    }
    dir.to_path_buf()
}

fn picture(dir: &Path, name: &str, width: u32, height: u32) -> PathBuf {
    let pixels = (0..width * height).flat_map(|i| [(i % 251) as u8, (i / 7 % 256) as u8, 90]).collect();
    let picture = loupe::image::Rgb::new(width, height, pixels).unwrap();
    let path = dir.join(name);
    fs::write(&path, loupe::image::decode::to_png(&picture).unwrap()).unwrap();
    path
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &b| (0..8).fold(crc ^ u32::from(b), step))
}

fn loupe(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loupe")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// One sentence on stderr, nothing on stdout, this code.
#[track_caller]
fn refused(args: &[&str], code: i32, word: &str) {
    let out = loupe(args);
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{args:?}: {stderr}");
    assert_eq!(stdout, "", "{args:?}");
    assert!(stderr.contains(word), "{args:?}: `{word}` is not in: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
}

#[test]
fn ask_prints_the_answer_and_only_the_answer() {
    let dir = scratch("ask");
    let (model, a, b) = (model(&dir), picture(&dir, "a.png", 50, 40), picture(&dir, "b.png", 130, 37));
    let (model, a, b) = (model.to_str().unwrap(), a.to_str().unwrap(), b.to_str().unwrap());
    let plain = loupe(&["ask", a, "How many?", "--model", model, "--max-tokens", "8"]);
    assert_eq!(plain.status.code(), Some(0), "{}", text(&plain.stderr));
    assert_eq!(text(&plain.stderr), "");
    let json = loupe(&["ask", a, "How many?", "--model", model, "--max-tokens", "8", "--json", "--seed", "3"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(format!("{}\n", report["answer"].as_str().unwrap()), String::from_utf8_lossy(&plain.stdout));
    assert_eq!(report["seed"], 3);
    assert_eq!(report["modelHash"].as_str().unwrap().len(), 16);
    assert_eq!(report["pictures"][0]["layout"]["width"], 50);
    for key in ["promptTokens", "pictureTokens", "answerTokens", "prefillMs", "decodeMs", "firstTokenMs"] {
        assert!(report["usage"][key].is_number(), "{key}");
    }
    for key in ["decodeMs", "sliceMs", "encodeMs"] {
        assert!(report["pictures"][0]["timings"][key].is_number(), "{key}");
    }
    let two = loupe(&["ask", a, b, "Which?", "--model", model, "--max-tokens", "2", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&two.stdout).unwrap();
    assert_eq!(report["pictures"].as_array().unwrap().len(), 2);
    // The two files by name, in either order.
    let files = ["mmproj-micro-q8_0.gguf", "micro-q8_0.gguf"].map(|f| fixture("stages").join(f).display().to_string());
    let named = loupe(&["ask", a, "How many?", "--model", &files.join(","), "--max-tokens", "8"]);
    assert_eq!(named.stdout, plain.stdout);
}

#[test]
fn slices_draws_a_png_and_tells_the_grid() {
    let dir = scratch("slices");
    let (model, a) = (model(&dir), picture(&dir, "a.png", 110, 104));
    let out = dir.join("drawn.png");
    let args = ["slices", a.to_str().unwrap(), "--out", out.to_str().unwrap(), "--model", model.to_str().unwrap()];
    let told = loupe(&args);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    assert!(
        text(&told.stdout).contains("2 × 2 slices of 56 × 42")
            || text(&told.stdout).contains("2 × 2 slices of 56 × 56"),
        "{}",
        text(&told.stdout)
    );
    let drawn = loupe::image::decode::decode(&fs::read(out).unwrap()).unwrap();
    assert!(drawn.width >= 500, "large enough to look at");
    let told =
        loupe(&["slices", a.to_str().unwrap(), "--slicing", "minicpm-v", "--out", dir.join("b.png").to_str().unwrap()]);
    assert!(text(&told.stdout).contains("not cut"), "{}", text(&told.stdout));
    // Another way at the model's sizes: the makers look at the area, llama.cpp at sides.
    let small = picture(&dir, "small.png", 70, 20);
    let mut args =
        vec!["ask", small.to_str().unwrap(), "x", "--model", model.to_str().unwrap(), "--max-tokens", "1", "--json"];
    let columns = |args: &[&str]| {
        let report: serde_json::Value = serde_json::from_slice(&loupe(args).stdout).unwrap();
        report["pictures"][0]["layout"]["columns"].clone()
    };
    assert_eq!(columns(&args), 0);
    args.extend(["--slicing", "mtmd-minicpm-v"]);
    assert_ne!(columns(&args), 0);
}

#[test]
fn bad_usage_is_code_2() {
    let dir = scratch("usage");
    let (model, a) = (model(&dir), picture(&dir, "a.png", 50, 40));
    let (model, a) = (model.to_str().unwrap(), a.to_str().unwrap());
    for args in [&["ask"][..], &["ask", a], &["look", a], &["ask", a, "x", "--max-tokens", "many"]] {
        assert_eq!(loupe(args).status.code(), Some(2), "{args:?}");
    }
    refused(&["ask", a, "", "--model", model], 2, "empty");
    refused(&["ask", a, &"word ".repeat(2000), "--model", model], 2, "tokens");
    refused(&["ask", a, "x", "--model", model, "--top-p", "7"], 2, "top-p");
    refused(&["ask", a, "x", "--model", "a,b,c"], 2, "--model");
    refused(&["slices", a, "--slicing", "nonsense"], 2, "nonsense");
    refused(&["ask", a, "x", "--model", model, "--slicing", "nonsense"], 2, "mtmd-minicpm-v");
    refused(&["ask", a, "x", "--model", model, "--slicing", "smolvlm"], 2, "another kind");
}

#[test]
fn a_bad_picture_is_code_3() {
    let dir = scratch("pictures");
    let model = model(&dir);
    let model = model.to_str().unwrap();
    let good = fs::read(picture(&dir, "good.png", 90, 80)).unwrap();
    let mut huge = good.clone();
    // IHDR: 20,000 × 20,000, and its checksum.
    huge[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let sum = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&sum.to_be_bytes());
    for (name, bytes, word) in [
        ("cut.png", &good[..good.len() / 2], ""),
        ("text.png", b"this is not a picture", ""),
        ("empty.png", b"", "empty"),
        ("huge.png", &huge, "20000"),
    ] {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        refused(&["ask", path.to_str().unwrap(), "What is it?", "--model", model], 3, word);
    }
    refused(&["ask", dir.join("absent.png").to_str().unwrap(), "x", "--model", model], 3, "absent.png");
    let dot = picture(&dir, "dot.png", 1, 1);
    assert_eq!(
        loupe(&["ask", dot.to_str().unwrap(), "x", "--model", model]).status.code(),
        Some(0),
        "1 × 1 is a picture"
    );
}

#[test]
fn a_bad_model_is_code_4() {
    let dir = scratch("models");
    let a = picture(&dir, "a.png", 50, 40);
    let a = a.to_str().unwrap();
    refused(&["ask", a, "x", "--model", scratch("none").to_str().unwrap()], 4, "0 GGUF files");
    refused(&["ask", a, "x", "--model", "/nonexistent/a.gguf,/nonexistent/b.gguf"], 4, "could not be opened");
    let files = |a: &str, b: &str| [a, b].map(|f| fixture("stages").join(f).display().to_string()).join(",");
    let mut other = fs::read(fixture("stages/mmproj-micro-q8_0.gguf")).unwrap();
    let name = other.windows(10).position(|w| w == b"loupe.pair").unwrap();
    other[name + 10 + 4 + 8] ^= 1; // the first letter of the pair's name, after its type and length
    fs::write(dir.join("other.gguf"), other).unwrap();
    let pair = format!("{},{}", fixture("stages/micro-q8_0.gguf").display(), dir.join("other.gguf").display());
    refused(&["ask", a, "x", "--model", &pair], 4, "not a pair");
    refused(&["ask", a, "x", "--model", &files("micro-q8_0.gguf", "micro-q8_0.gguf")], 4, "");
    let whole = fs::read(fixture("stages/micro-q8_0.gguf")).unwrap();
    for cut in [0, 3, 100, whole.len() / 2, whole.len() - 40] {
        let path = dir.join("cut.gguf");
        fs::write(&path, &whole[..cut]).unwrap();
        let pair = format!("{},{}", path.display(), fixture("stages/mmproj-micro-q8_0.gguf").display());
        refused(&["ask", a, "x", "--model", &pair], 4, "download it again");
    }
}

#[test]
fn quantize_writes_a_pair_that_answers() {
    let dir = scratch("quantize");
    for name in ["micro", "mmproj-micro"] {
        let (from, to) = (fixture("stages").join(format!("{name}-f32.gguf")), dir.join(format!("{name}.gguf")));
        let out = loupe(&["quantize", from.to_str().unwrap(), to.to_str().unwrap(), "Q8_0"]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert!(text(&out.stdout).contains("MB in q8_0, from 0."), "{}", text(&out.stdout));
    }
    let picture = picture(&dir, "a.png", 40, 30);
    let out = loupe(&["ask", "--model", dir.to_str().unwrap(), picture.to_str().unwrap(), "How many?"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
}

#[test]
fn quantize_says_what_is_wrong_and_leaves_nothing_behind() {
    let dir = scratch("quantize-wrong");
    let (from, to) = (fixture("stages").join("micro-f32.gguf"), dir.join("out.gguf"));
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    refused(&["quantize", from, to, "q9"], 2, "q4_k_m");
    refused(&["quantize", "no-such.gguf", to, "q8_0"], 4, "no-such.gguf");
    refused(&["quantize", from, "no-such-folder/out.gguf", "q8_0"], 4, "no-such-folder/out.gguf");
    let damaged = dir.join("damaged.gguf");
    fs::write(&damaged, &fs::read(from).unwrap()[..100_000]).unwrap();
    refused(&["quantize", damaged.to_str().unwrap(), to, "q8_0"], 4, "to its end");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "only the damaged file is there");
}

#[cfg(feature = "gpu")]
#[test]
fn the_processor_and_the_gpu_share_the_network_at_any_node() {
    let dir = scratch("split");
    let (model, picture) = (model(&dir), picture(&dir, "a.png", 50, 40));
    let ask = ["ask", picture.to_str().unwrap(), "How many?", "--model", model.to_str().unwrap(), "--max-tokens", "8"];
    let plain = loupe(&ask);
    for node in
        ["v.patch_embd.weight", "v.blk.1.attn_out.weight", "blk.0.attn_k.weight", "blk.1#10", "output_norm.weight"]
    {
        let split = loupe(&[&ask[..], &["--gpu-from", node, "--gpu", "f32"]].concat());
        if split.status.code() == Some(6) {
            // Past the test runner, which would keep it from whoever reads.
            std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {}", text(&split.stderr))).ok();
            return;
        }
        assert_eq!(split.status.code(), Some(0), "{node}: {}", text(&split.stderr));
        assert_eq!(text(&split.stdout), text(&plain.stdout), "from {node}");
    }
    // A driver may say things of its own before.
    let with = |more: &[&str], words: &str| {
        let out = loupe(&[&ask[..], more].concat());
        assert_eq!(out.status.code(), Some(2), "{more:?}");
        assert!(text(&out.stderr).contains(words), "{more:?}: {}", text(&out.stderr));
    };
    with(&["--gpu-from", "blk.77.attn_q.weight"], "has no node `blk.77.attn_q.weight`; among others it has `blk.");
    with(&["--gpu-from", "blk.1#10", "--executor", "gpu"], "cpu or reference");
    with(&["--executor", "gpu", "--gpu", "f32,f64"], "\"f64\" masks nothing of a GPU; there are f32, nosubgroups.");
}
