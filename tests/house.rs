//! The house rules that a machine can check: who may use whom, and how long a file may be.
//!
//! The arrows of ARCHITECTURE.md are the table `MODULES`; a line that breaks one fails with its place.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file this long is split.
const LONGEST: usize = 500;
/// A file this long is listed, for somebody to think about.
const LONG: usize = 300;

/// Each of our modules and those of ours it may use, besides itself.
const MODULES: [(&str, &[&str]); 14] = [
    ("error", &[]),
    ("protocol", &["error", "source"]),
    ("source", &["error"]),
    ("graph", &["error"]),
    ("gguf", &["error"]),
    ("image", &["error"]),
    ("text", &["error", "gguf", "image"]),
    ("model", &["error", "gguf", "graph"]),
    ("exec", &["error", "gguf", "graph"]),
    ("quantize", &["error", "gguf", "exec"]),
    ("session", &["error", "protocol", "gguf", "graph", "image", "text", "model", "exec"]),
    ("probe", &["error", "protocol", "image", "session"]),
    ("wasm", &["error", "protocol", "source", "gguf", "exec", "session"]),
    ("cli", &["error", "protocol", "source", "gguf", "graph", "image", "exec", "quantize", "session", "probe"]),
];

/// Each library that has a home, and its homes: paths below `src/`, files or folders.
const LIBRARIES: [(&str, &[&str]); 17] = [
    ("candle_core", &["exec/reference.rs", "quantize/codes.rs"]),
    ("candle_transformers", &[]),
    ("clap", &["main.rs", "cli", "probe/cli.rs"]),
    ("image", &["image/decode.rs"]),
    ("js_sys", &["wasm.rs", "wasm", "exec/gpu/browser.rs"]),
    ("loupe_forms", &["session/form.rs"]),
    ("minijinja", &["text/template"]),
    ("naga", &[]),
    ("pollster", &["main.rs", "cli", "session/tests.rs"]),
    ("tiny_skia", &["probe"]),
    ("tokenizers", &["text/tokenizer"]),
    ("ts_rs", &["protocol", "protocol.rs", "error.rs", "source"]),
    ("ttf_parser", &["probe"]),
    ("ureq", &["cli"]),
    ("wasm_bindgen", &["wasm.rs", "wasm", "exec/gpu/browser.rs"]),
    ("web_sys", &["wasm.rs"]),
    ("wgpu", &["exec/gpu"]),
];

/// One line of code, without its comment.
struct Line {
    file: String,
    number: usize,
    code: String,
}

#[test]
fn modules_use_only_what_the_house_lets_them() {
    let mut wrong = Vec::new();
    for line in lines("src") {
        let home = module_of(&line.file);
        let Some((_, allowed)) = MODULES.iter().find(|(module, _)| *module == home) else {
            // lib.rs and main.rs tie everything together; any other file belongs to a module of the table.
            if !matches!(home, "lib" | "main") {
                wrong.push(format!("{}: module `{home}` is not in the table of tests/house.rs", line.file));
            }
            continue;
        };
        for used in paths(&line.code, "crate").into_iter().chain(paths(&line.code, "loupe")) {
            let known = MODULES.iter().any(|(module, _)| *module == used);
            if known && used != home && !allowed.contains(&used) {
                wrong.push(format!("{}:{}: `{home}` may not use `{used}`", line.file, line.number));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_their_homes() {
    let mut wrong = Vec::new();
    for line in lines("src") {
        for (library, homes) in LIBRARIES {
            let at_home = homes.iter().any(|home| Path::new(&line.file).starts_with(Path::new("src").join(home)));
            if !at_home && names_library(&line.code, library) {
                wrong.push(format!("{}:{}: `{library}` is only for {}", line.file, line.number, homes.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for (folder, kinds) in [
        ("src", ["rs", "wgsl"].as_slice()),
        ("forms/src", &["rs"]),
        ("tests", &["rs", "ts", "py"]),
        ("xtask", &["rs"]),
        ("www/lib", &["ts"]),
        ("www/app", &["ts", "css", "html"]),
        ("www/docs", &["ts"]),
        ("training", &["py"]),
        ("benches", &["mjs", "py", "rs"]),
    ] {
        for path in files(folder, kinds) {
            let name = relative(&path);
            if name.ends_with(".gen.ts") {
                continue;
            }
            let length = read(&path).lines().count();
            if length > LONGEST {
                wrong.push(format!("{name} has {length} lines: split it"));
            } else if length > LONG {
                println!("{name} has {length} lines: is it one thing?");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first part of every path in `code` that begins with `root::`.
fn paths<'c>(code: &'c str, root: &str) -> Vec<&'c str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        let Some(rest) = code[at + root.len()..].strip_prefix("::") else { continue };
        if code[..at].ends_with(is_word) {
            continue;
        }
        match rest.strip_prefix('{') {
            // `use crate::{a::B, c};`
            Some(list) => found.extend(list.split(['}', ',']).map(|part| first_word(part.trim()))),
            None => found.push(first_word(rest)),
        }
    }
    found
}

/// Whether `code` names the library `name`, and not a module of ours with that name.
fn names_library(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let ours = before.ends_with("crate::") || before.ends_with("super::") || before.ends_with("self::");
        let inside = before.ends_with(is_word) || before.ends_with("::") && !before.ends_with(" ::");
        code[at + name.len()..].starts_with("::") && !ours && !inside && !in_list_of_ours(before)
    })
}

/// Whether what follows `before` stands in a `use crate::{…}` list, of which no brace is closed again.
fn in_list_of_ours(before: &str) -> bool {
    let list = ["crate::{", "loupe::{"].iter().filter_map(|list| before.rfind(list)).max();
    list.is_some_and(|at| before[at..].matches('{').count() > before[at..].matches('}').count())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(path: &str) -> &str {
    path.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// `src/exec/reference.rs` is in `exec`, `src/error.rs` is `error`.
fn module_of(file: &str) -> &str {
    first_word(file.strip_prefix("src/").unwrap_or(file))
}

/// Every line below `folder` with its `//` comment cut off; `use` items over several lines are joined into their first.
fn lines(folder: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for path in files(folder, &["rs"]) {
        let file = relative(&path);
        let mut open = false;
        for (index, text) in read(&path).lines().enumerate() {
            let code = text.split("//").next().unwrap_or_default();
            match lines.last_mut() {
                Some(first) if open => first.code.push_str(code.trim()),
                _ => lines.push(Line { file: file.clone(), number: index + 1, code: code.to_owned() }),
            }
            let starts =
                lines.last().is_some_and(|line| line.code.trim_start().trim_start_matches("pub ").starts_with("use "));
            open = starts && !code.contains(';');
        }
    }
    lines
}

/// All files of these kinds below `folder`, in order; what npm, cargo and Python build is passed over.
fn files(folder: &str, kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && !matches!(name, "node_modules" | "run" | "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kinds.iter().any(|wanted| kind == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_reader_understands_use_lines() {
    assert_eq!(paths("use crate::{error::Error, graph};", "crate"), ["error", "graph", ""]);
    assert_eq!(paths("pub fn f() -> crate::error::Result<()> {", "crate"), ["error"]);
    assert!(names_library("use image::ImageReader;", "image"));
    assert!(names_library("    let a = image::open();", "image"));
    assert!(!names_library("use crate::image::Slice;", "image"));
    assert!(!names_library("use crate::{error::Error, image::Slice};", "image"));
    assert!(!names_library("use crate::{graph::{Act, Op},image::Slice};", "image"));
    assert!(!names_library("use loupe::{error::Error, image::Slice};", "image"));
    assert!(!names_library("use super::image::Slice;", "image"));
    assert!(!names_library("let preimage::x", "image"));
}
