//! From sources to `pkg/dist` (the package) and `www/dist` (the page).

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    process::Command,
};

use crate::{
    engine::{self, WASM},
    steps::{Done, meanwhile, root, run, run_quietly, step},
};

/// The built-in model: the language model and its eyes.
const MODEL: [&str; 2] = ["loupe-base-q8_0.gguf", "mmproj-loupe-base-q8_0.gguf"];

/// Builds the package and the page; what is already there is not built again.
pub fn everything() -> Done {
    tools()?;
    // Linking the engine keeps one core busy for long; the other can build the tool and fetch the page's packages.
    meanwhile(
        || npm_ci().and_then(|()| engine::bindgen_tool()),
        || step("Compiling the engine to WebAssembly (the first time takes some minutes)", engine::compile),
    )?;
    step("Writing the engine's JavaScript", engine::bind)?;
    step("Building the package and the page", page)
}

/// What must be on the machine before anything can be built.
fn tools() -> Done {
    let node = Command::new("node").arg("--version").output();
    let version =
        node.map_err(|_| "Node.js is missing: install version 20 or newer from https://nodejs.org".to_owned())?;
    let version = String::from_utf8_lossy(&version.stdout);
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        return Err(format!("Node.js {} is too old: version 20 or newer is needed", version.trim()));
    }
    for file in MODEL {
        if !root().join("models").join(file).exists() {
            return Err(format!("models/{file} is missing: check the repository out anew, or run `cargo xtask train`"));
        }
    }
    let installed =
        Command::new("rustc").current_dir(root()).args(["--print", "target-libdir", "--target", WASM]).output();
    if installed.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists()) {
        return Ok(());
    }
    step("Adding Rust's WebAssembly target", || run(Command::new("rustup").args(["target", "add", WASM])))
}

/// Installs the page's packages, exactly as locked, when the lock file is not the one installed.
pub fn npm_ci() -> Done {
    let lock = read(&root().join("package-lock.json"))?;
    unless_done(&root().join("node_modules/.installed"), fingerprint(&lock), || {
        step("Fetching the page's packages (npm ci)", || {
            run_quietly(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
        })
    })
}

/// Type-checks and compiles the library into `pkg/dist`, puts model and licences beside it, and builds the page from it.
fn page() -> Done {
    let [package, dist] = ["pkg", "pkg/dist"].map(|folder| root().join(folder));
    // What the library no longer has must not be published.
    for path in fs::read_dir(&dist).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_file() {
            fs::remove_file(&path).map_err(|error| format!("{} cannot be removed: {error}", path.display()))?;
        }
    }
    for file in MODEL {
        copy(&root().join("models").join(file), &dist.join("models"))?;
    }
    for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&root().join(file), &package)?;
    }
    for script in ["types", "build"] {
        run_quietly(Command::new("npm").args(["run", script, "--workspace", "www"]))?;
    }
    Ok(())
}

fn copy(file: &Path, folder: &Path) -> Done {
    let copied = fs::create_dir_all(folder)
        .and_then(|()| fs::copy(file, folder.join(file.file_name().unwrap_or(file.as_os_str()))));
    copied.map(drop).map_err(|error| format!("{} cannot be copied to {}: {error}", file.display(), folder.display()))
}

/// Runs `work` unless `stamp` says that it was done for the same inputs.
pub fn unless_done(stamp: &Path, inputs: String, work: impl FnOnce() -> Done) -> Done {
    if fs::read_to_string(stamp).is_ok_and(|done| done == inputs) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, inputs).map_err(|error| format!("{} cannot be written: {error}", stamp.display()))
}

/// What tells one content from another.
pub fn fingerprint(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The bytes of a file.
pub fn read(path: &Path) -> Done<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
