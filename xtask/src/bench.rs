//! Loupe beside its rivals, in one browser. What is measured and how is in `benches/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    build::{self, fingerprint, read, unless_done},
    engine::WASM,
    steps::{Done, cargo, output, root, run, run_quietly, step, target},
    test::{NATIVE, chromium},
};

/// What the benchmark alone compiles to WebAssembly: folder below `benches/`, the module's name, and the compiler's flags.
/// They are said here, so that what is in `.cargo/config.toml` for Loupe changes no rival.
const ROOFLINE: [&str; 3] =
    ["roofline", "roofline", "-Ctarget-feature=+simd128,+relaxed-simd -Cllvm-args=--disable-lsr"];
const CANDLE: [&str; 3] = ["candle", "candle_rival", "-Ctarget-feature=+simd128 --cfg getrandom_backend=\"wasm_js\""];

/// Builds what is missing, then measures; `arguments` go to the harness, which knows its options.
pub fn beside_rivals(arguments: &[String]) -> Done {
    if !cfg!(target_os = "linux") {
        return Err("the benchmark reads CPU time and memory from /proc, so it runs on Linux alone".into());
    }
    if arguments.iter().any(|argument| argument == "--gpu") {
        return gpu(arguments);
    }
    let chromium = chromium()?;
    let kernels_alone = arguments.iter().any(|argument| argument == "--kernels");
    let only = arguments.iter().skip_while(|argument| *argument != "--only").nth(1).map(String::as_str);
    let only = if kernels_alone { Some("roofline") } else { only };
    let wanted = |engine: &str| only.is_none_or(|only| only.split(',').any(|name| name == engine));
    build::everything()?;
    if ["wllama", "ort", "real"].into_iter().any(wanted) {
        step("Fetching the rivals (npm ci)", rivals)?;
    }
    let sets: &[_] = match only {
        Some("real") => &["real"],
        _ if wanted("real") => &["same", "real"],
        _ => &["same"],
    };
    step("Making models of random weights", || models(sets))?;
    if wanted("roofline") {
        step("Compiling the roofline", || copy(&compile(ROOFLINE)?, &folder().join("roofline.wasm")))?;
    }
    if wanted("candle") {
        step("Compiling candle to WebAssembly (the first time takes some minutes)", || {
            run(Command::new(target().join("tool/bindgen")).args([compile(CANDLE)?, folder().join("candle")]))
        })?;
    }
    if kernels_alone {
        step("Measuring the kernels without a browser", kernels)?;
    }
    replaced_by(
        Command::new("node")
            .arg(root().join("benches/bench.mjs"))
            .arg("--built")
            .arg(folder())
            .args(arguments)
            .env("LOUPE_CHROMIUM", chromium),
    )
}

/// Writes what `benches/kernels.rs` prints to where the harness looks for it.
fn kernels() -> Done {
    let lines = output(&mut cargo(&["bench", "--quiet", "--bench", "kernels"]))?;
    write(&folder().join("kernels.jsonl"), &lines)
}

/// Has `benches/gpu` measure this machine's GPU and write a report, with what the tests are built with: their profile is fast
/// enough for what hands a GPU its work.
fn gpu(arguments: &[String]) -> Done {
    let commit = output(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?;
    let bench = ["bench", "--profile", "dev", "--bench", "gpu"];
    replaced_by(cargo(&bench).args(NATIVE).args(["--", "--commit", commit.trim()]).args(arguments))
}

/// Where everything lies that is no part of the repository.
fn folder() -> PathBuf {
    target().join("bench")
}

/// The rivals have a lock file of their own: whoever builds Loupe need not fetch them.
fn rivals() -> Done {
    let benches = root().join("benches");
    let lock = read(&benches.join("package-lock.json"))?;
    unless_done(&benches.join("node_modules/.installed"), fingerprint(&lock), || {
        let fetch = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", "benches"];
        run_quietly(Command::new("npm").args(fetch))
    })
}

/// Models of these sets are made anew when a script that makes them has changed, each file that is missing otherwise.
fn models(sets: &[&str]) -> Done {
    let (scripts, python) = (root().join("benches/models"), folder().join("venv"));
    let requirements = scripts.join("requirements.txt");
    fs::create_dir_all(folder()).map_err(|error| format!("{} cannot be made: {error}", folder().display()))?;
    let installed = fingerprint(&read(&requirements)?);
    if fs::read_to_string(python.join(".installed")).ok().as_ref() != Some(&installed) {
        run_quietly(Command::new("python3").args(["-m", "venv"]).arg(&python))?;
        run_quietly(Command::new(python.join("bin/pip")).args(["install", "--quiet", "-r"]).arg(&requirements))?;
        write(&python.join(".installed"), &installed)?;
    }
    let made = folder().join("models");
    let mut sources: Vec<_> = fs::read_dir(&scripts).into_iter().flatten().flatten().map(|file| file.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|kind| kind == "py"));
    sources.sort();
    let sources: Vec<u8> = sources.iter().map(|path| read(path)).collect::<Done<Vec<_>>>()?.concat();
    if fs::read_to_string(made.join(".sources")).ok() != Some(fingerprint(&sources)) {
        fs::remove_dir_all(&made).ok();
    }
    run(Command::new(python.join("bin/python")).arg(scripts.join("make.py")).arg(&made).args(sets))?;
    write(&made.join(".sources"), &fingerprint(&sources))
}

/// Compiles one of the benchmark's own crates and says where its module is.
fn compile([crate_folder, module, flags]: [&str; 3]) -> Done<PathBuf> {
    let manifest = format!("benches/{crate_folder}/Cargo.toml");
    let build = ["build", "--locked", "--release", "--target", WASM, "--manifest-path", &manifest];
    let built = folder().join("cargo");
    run(cargo(&build).env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", &built))?;
    Ok(built.join(WASM).join("release").join(module).with_extension("wasm"))
}

fn copy(from: &Path, to: &Path) -> Done {
    fs::copy(from, to).map(drop).map_err(|error| format!("{} cannot be copied: {error}", from.display()))
}

fn write(path: &Path, text: &str) -> Done {
    fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// Ends this task and begins `command` in its place, so that Ctrl-C reaches it alone.
#[cfg(unix)]
fn replaced_by(command: &mut Command) -> Done {
    use std::os::unix::process::CommandExt;
    let started = command.current_dir(root()).exec();
    Err(format!("{} cannot be started: {started}", command.get_program().display()))
}

#[cfg(not(unix))]
fn replaced_by(command: &mut Command) -> Done {
    run(command)
}
