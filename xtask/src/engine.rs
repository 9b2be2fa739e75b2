//! The engine's artefacts: the same Rust, compiled for what a browser can do.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    build::{fingerprint, read, unless_done},
    steps::{Done, cargo, output, root, run, run_quietly, step, target},
};

/// What rustc calls the machine of a browser.
pub const WASM: &str = "wasm32-unknown-unknown";

/// One way to compile the engine.
struct Artefact {
    name: &'static str,
    /// What it is for, as a step says it.
    what: &'static str,
    relaxed: bool,
    threads: bool,
}

const ARTEFACTS: [Artefact; 3] = [
    Artefact { name: "base", what: "for every browser", relaxed: false, threads: false },
    Artefact { name: "relaxed", what: "with relaxed SIMD", relaxed: true, threads: false },
    Artefact { name: "relaxed-mt", what: "with relaxed SIMD and threads", relaxed: true, threads: true },
];

/// The grammars are the same everywhere, and fetched only for answers that are held to a form.
const FORMS_BUILD: [&str; 8] = ["rustc", "--lib", "--package", "loupe-forms", "--profile", "wasm", "--target", WASM];

fn forms_target() -> PathBuf {
    target().join("engine/forms")
}

/// Where a module lies in the package.
fn package(name: &str) -> PathBuf {
    root().join("pkg/dist/engine").join(name)
}

/// What threads take beside the target features: a memory that is given from outside and can be shared, and a block of
/// thread-local storage that JavaScript can set up. rustc no longer does this by itself (rust-lang/rust#147225).
const THREADS: [&str; 8] = [
    "-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals",
    "-Clink-arg=--shared-memory",
    "-Clink-arg=--import-memory",
    "-Clink-arg=--max-memory=4294967296",
    "-Clink-arg=--export=__wasm_init_tls",
    "-Clink-arg=--export=__tls_size",
    "-Clink-arg=--export=__tls_align",
    "-Clink-arg=--export=__tls_base",
];

/// Raw, gzip -9 and brotli -11 bytes of the file named by the first argument.
const MEASURE: &str = "const { gzipSync, brotliCompressSync } = require('zlib');
const raw = require('fs').readFileSync(process.argv[1]);
const sizes = [raw, gzipSync(raw, { level: 9 }), brotliCompressSync(raw)];
console.log(sizes.map(({ length }) => length).join(' '));";

/// Compiles every artefact that can be compiled here, one after the other.
pub fn compile() -> Done {
    for artefact in &ARTEFACTS {
        if artefact.threads && !has_source() {
            println!(
                "> NO THREADS: Rust's own source is missing (`rustup component add rust-src`), and without it the"
            );
            println!("  standard library cannot be compiled for threads. Pages will run on one core.");
            fs::remove_file(artefact.module()).ok();
            continue;
        }
        step(&format!("Compiling the engine {}", artefact.what), || run(&mut artefact.cargo()))?;
    }
    step("Compiling the grammars", || run(cargo(&FORMS_BUILD).env("CARGO_TARGET_DIR", forms_target())))
}

/// Writes the JavaScript around every artefact to `pkg/dist/engine/NAME`, and says how large it is.
pub fn bind() -> Done {
    for artefact in &ARTEFACTS {
        if !artefact.module().exists() {
            absent(artefact)?;
            continue;
        }
        let (module, folder) = (artefact.module(), artefact.folder());
        unless_done(&folder.join(".built"), fingerprint(&read(&module)?), || generate(&module, &folder))?;
        tell_size(artefact.name)?;
    }
    let (module, folder) = (forms_target().join(WASM).join("wasm/loupe_forms.wasm"), package("forms"));
    unless_done(&folder.join(".built"), fingerprint(&read(&module)?), || generate(&module, &folder))?;
    tell_size("forms")
}

fn tell_size(name: &str) -> Done {
    let size = String::from_utf8_lossy(&read(&package(name).join(".size"))?).trim().to_owned();
    println!("  {name}: {size} bytes (raw, gzip, brotli)");
    Ok(())
}

/// The tool that writes the JavaScript.
pub fn bindgen_tool() -> Done {
    run_quietly(&mut cargo(&["build", "--quiet", "--package", "bindgen", "--profile", "tool"]))
}

/// What a browser may have to download of an artefact, in brotli bytes.
const MOST_BYTES: u64 = 1_000_000;

/// Refuses an artefact that has grown too heavy.
pub fn weigh() -> Done {
    for artefact in ARTEFACTS.iter().filter(|artefact| artefact.folder().join(".size").exists()) {
        let size = String::from_utf8_lossy(&read(&artefact.folder().join(".size"))?).into_owned();
        let brotli: Option<u64> = size.split_whitespace().last().and_then(|bytes| bytes.parse().ok());
        if brotli.is_none_or(|brotli| brotli > MOST_BYTES) {
            return Err(format!(
                "{} has {} bytes, and at most {MOST_BYTES} with brotli are allowed",
                artefact.name,
                size.trim()
            ));
        }
    }
    Ok(())
}

impl Artefact {
    fn folder(&self) -> PathBuf {
        package(self.name)
    }

    /// Where cargo builds it. In one place they would displace each other, and each be built anew every time.
    fn target(&self) -> PathBuf {
        target().join("engine").join(self.name)
    }

    fn module(&self) -> PathBuf {
        self.target().join(WASM).join("wasm/loupe.wasm")
    }

    fn cargo(&self) -> Command {
        let mut command = cargo(&[
            "rustc",
            "--lib",
            "--profile",
            "wasm",
            "--target",
            WASM,
            "--no-default-features",
            "--features",
            "gpu",
        ]);
        command.env("CARGO_TARGET_DIR", self.target());
        if self.threads {
            // Joined with those of .cargo/config.toml.
            let flags = THREADS.map(|flag| format!("{flag:?}")).join(",");
            command.args(["-Zbuild-std=std,panic_abort", "--config", &format!("target.{WASM}.rustflags=[{flags}]")]);
            // The stable compiler rebuilds its own library only when told that it may.
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        if self.relaxed {
            command.args(["--", "-Ctarget-feature=+relaxed-simd"]);
        }
        command
    }
}

fn generate(module: &Path, folder: &Path) -> Done {
    fs::remove_dir_all(folder).ok();
    run(Command::new(target().join("tool/bindgen")).args([module, folder]))?;
    let sizes =
        output(Command::new("node").args(["-e", MEASURE]).arg(folder.join(format!("{}_bg.wasm", stem(module)))))?;
    fs::write(folder.join(".size"), sizes).map_err(|error| format!("the sizes cannot be written: {error}"))
}

/// What a module's files are called after it.
fn stem(module: &Path) -> String {
    module.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Puts a module in the place of an artefact that cannot be built, which says so: the page then takes another one.
fn absent(artefact: &Artefact) -> Done {
    let folder = artefact.folder();
    fs::remove_dir_all(&folder).ok();
    // Bundlers look for what is imported before anything runs, so all that an artefact exports is there.
    let exports = "export * from \"../relaxed/loupe.js\";\nexport { default } from \"../relaxed/loupe.js\";\n";
    let refusal = "throw new Error(\"this build has none, for Rust's own source was missing\");\n";
    let files = [("loupe.js", format!("{exports}{refusal}")), ("loupe.d.ts", exports.to_owned())];
    for (name, text) in files {
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(name), text))
            .map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
    }
    Ok(())
}

/// Whether the standard library can be compiled here; fetches its source where rustup can.
fn has_source() -> bool {
    let source = || {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"])).ok();
        sysroot.is_some_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library").exists())
    };
    // For tests of what a machine without it does.
    if env::var_os("LOUPE_NO_RUST_SRC").is_some() {
        return false;
    }
    source() || {
        step("Adding Rust's own source", || run(Command::new("rustup").args(["component", "add", "rust-src"]))).is_ok()
            && source()
    }
}
