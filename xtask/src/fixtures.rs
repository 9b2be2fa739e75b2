//! Tiny models of every family, and what their originals compute: tests/fixtures/families anew.
//!
//! The originals are Python. They and the public converter come from PyPI, once, into the build folder; no weights are fetched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::steps::{Done, cargo, root, run, run_quietly, step, target};

/// Where the scripts lie.
const ORACLE: &str = "tests/families/oracle";
/// The source package that carries llama.cpp with its converter.
const CONVERTER: [&str; 2] = ["llama_cpp_python", "0.3.36"];
/// The variable that tells tests/families of other fixtures than the committed ones.
const ELSEWHERE: &str = "LOUPE_FAMILIES";

/// Makes the fixtures, or with `--check` others of a fresh seed, which the tests are then run against.
pub fn families(arguments: &[String]) -> Done {
    let home = target().join("fixtures");
    let python = python(&home)?;
    let converter = converter(&home, &python)?;
    let make = |arguments: &[String]| {
        run(Command::new(&python)
            .arg(root().join(ORACLE).join("make.py"))
            .arg("--llama")
            .arg(&converter)
            .args(arguments))
    };
    let Some((_, rest)) = arguments.split_first().filter(|(first, _)| *first == "--check") else {
        return make(arguments);
    };
    let fresh = home.join("fresh");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| format!("{} cannot be emptied: {error}", fresh.display()))?;
    }
    let mut options = rest.to_vec();
    if !rest.iter().any(|argument| argument == "--seed") {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(2, |age| age.as_secs());
        println!("> The seed is {seed}");
        options.extend(["--seed".into(), seed.to_string()]);
    }
    options.extend(["--to".into(), fresh.to_string_lossy().into_owned()]);
    make(&options)?;
    run(cargo(&["test", "--test", "families"]).env(ELSEWHERE, &fresh))
}

/// A Python that has what the scripts require.
fn python(home: &Path) -> Done<PathBuf> {
    let venv = home.join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = root().join(ORACLE).join("requirements.txt");
    // What was installed last, to be compared with what is wanted.
    let stamp = home.join("requirements.txt");
    let read = |path: &Path| fs::read_to_string(path).ok();
    if python.exists() && read(&stamp) == read(&wanted) {
        return Ok(python);
    }
    step("Installing PyTorch and transformers, once (some gigabytes)", || {
        fs::create_dir_all(home).map_err(|error| format!("{} cannot be made: {error}", home.display()))?;
        run_quietly(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run_quietly(Command::new(&python).args(["-m", "pip", "install", "--requirement"]).arg(&wanted))?;
        fs::copy(&wanted, &stamp).map_err(|error| format!("{} cannot be written: {error}", stamp.display()))?;
        Ok(())
    })?;
    Ok(python)
}

/// The folder of the converter's source package.
fn converter(home: &Path, python: &Path) -> Done<PathBuf> {
    let [name, version] = CONVERTER;
    let folder = home.join(format!("{name}-{version}"));
    if !folder.exists() {
        // Into another name first: what is there under the right one is whole.
        let coming = home.join("coming");
        step("Fetching the public converter, once", || {
            let package = format!("{name}=={version}");
            run_quietly(
                Command::new(python)
                    .args(["-m", "pip", "download", "--no-deps", "--no-binary", name, &package, "--dest"])
                    .arg(&coming),
            )?;
            fs::rename(&coming, &folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))
        })?;
    }
    Ok(folder)
}
