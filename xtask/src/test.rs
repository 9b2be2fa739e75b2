//! Everything that must hold.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::{
    build, engine, serve,
    steps::{Done, cargo, root, run, run_quietly, step, target},
};

/// What the crate is built with here.
pub const NATIVE: [&str; 2] = ["--features", "probe,gpu"];

/// Runs it all, ending with what the browser tests' own runner says. Next builds its app in minutes, and does so only when
/// `heavy` apps are wanted too.
pub fn everything(heavy: bool) -> Done {
    step("Checking the formatting", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("Running the lints", || {
        run(cargo(&["clippy", "--all-targets"]).args(NATIVE).args(["--", "-D", "warnings"]))?;
        run(&mut cargo(&["clippy", "--package", "xtask", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("Running the tests of the tasks", || run(&mut cargo(&["test", "--quiet", "--package", "xtask"])))?;
    vulkan()?;
    dawn()?;
    // This leaves the command line in target/debug too, which the browser tests compare the page with.
    step("Running the Rust tests", || run(cargo(&["test"]).args(NATIVE)))?;
    build::everything()?;
    step("Weighing the engine", engine::weigh)?;
    step("Running the engine on Dawn", || {
        let mut node = Command::new("node");
        // Chromium brings a driver in software, which Dawn is sure to take.
        let chromiums = Path::new("/usr/lib/chromium/vk_swiftshader_icd.json");
        if chromiums.exists() && env::var_os("VK_ICD_FILENAMES").is_none() {
            node.env("VK_ICD_FILENAMES", chromiums);
        }
        run(node.arg("tests/dawn/engine.mjs").current_dir(root()))
    })?;
    step("Checking the types of the browser tests", || {
        run(Command::new("npx").args(["--no-install", "tsc", "--project", "tests/browser"]))
    })?;
    let chromium = chromium()?;
    smoke(&chromium, heavy)?;

    let page = serve::Server::bind(root().join("www/dist"), 8700)?;
    let package = serve::Server::bind(root().join("pkg/dist"), 8730)?;
    let (address, package_address) = (page.address(), package.address());
    println!("> Driving the page at {address} in {}", chromium.display());
    for server in [page, package] {
        thread::spawn(|| server.run());
    }
    run(Command::new("npx")
        .args(["--no-install", "playwright", "test", "--config", "tests/browser"])
        .env("LOUPE_URL", address)
        .env("LOUPE_PACKAGE_URL", package_address)
        .env("LOUPE_CHROMIUM", chromium)
        .env("LOUPE_CLI", target().join("debug/loupe")))
}

/// The packed package in apps of strangers, and in the other browsers that Debian has.
fn smoke(chromium: &Path, heavy: bool) -> Done {
    let apps = target().join("smoke");
    step("Building apps around the packed package", || {
        let mut node = Command::new("node");
        node.arg("tests/smoke/build.mjs").arg(&apps);
        run_quietly(if heavy { node.arg("--next") } else { &mut node })
    })?;
    others();
    step("Asking in these apps", || {
        run(Command::new("npx").args(["--no-install", "tsc", "--project", "tests/smoke"]))?;
        run(Command::new("npx")
            .args(["--no-install", "playwright", "test", "--config", "tests/smoke"])
            .env("LOUPE_SMOKE", &apps)
            .env("LOUPE_CHROMIUM", chromium))
    })
}

/// Sees to it that Firefox and WebKitGTK are there; where they cannot be had, the tests skip them and say so.
fn others() {
    let there = ["/usr/bin/firefox-esr", "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser", "/usr/bin/xvfb-run"];
    if there.iter().all(|path| Path::new(path).exists()) || !Path::new("/usr/bin/apt-get").exists() || !is_root() {
        return;
    }
    let packages = ["firefox-esr", "libwebkit2gtk-4.1-0", "xvfb", "xauth"];
    if install("Installing Firefox and WebKitGTK from Debian's packages", &packages).is_err() {
        println!("> Firefox and WebKitGTK could not be installed");
    }
}

/// A Chromium to drive: the one named by `LOUPE_CHROMIUM`, one on the machine, or Debian's, which root can install.
pub fn chromium() -> Done<PathBuf> {
    if let Some(named) = env::var_os("LOUPE_CHROMIUM") {
        return Ok(named.into());
    }
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found = || known.iter().map(PathBuf::from).find(|path| path.exists());
    if let Some(path) = found() {
        return Ok(path);
    }
    const ASK: &str =
        "no Chromium was found: install it (on Debian `apt-get install chromium`) or name it in LOUPE_CHROMIUM";
    if !Path::new("/usr/bin/apt-get").exists() || !is_root() {
        return Err(ASK.into());
    }
    install("Installing Chromium from Debian's packages", &["chromium"])?;
    found().ok_or_else(|| ASK.into())
}

/// Sees to it that there is a GPU to test on, in software if need be; where none can be had, the tests skip what needs it
/// and say so.
fn vulkan() -> Done {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let drivers = |folder: &&str| std::fs::read_dir(folder).is_ok_and(|mut drivers| drivers.next().is_some());
    if folders.iter().any(drivers) {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() || !is_root() {
        println!(
            "> No Vulkan driver was found: the GPU is not tested (on Debian, `apt-get install mesa-vulkan-drivers`)"
        );
        return Ok(());
    }
    if install("Installing Vulkan in software from Debian's packages", &["libvulkan1", "mesa-vulkan-drivers"]).is_err()
    {
        println!("> Vulkan could not be installed: the GPU is not tested");
    }
    Ok(())
}

/// Sees to it that Dawn is there, which is Chromium's WebGPU without a browser around it.
fn dawn() -> Done {
    let folder = root().join("tests/dawn");
    let lock = build::read(&folder.join("package-lock.json"))?;
    build::unless_done(&folder.join("node_modules/.installed"), build::fingerprint(&lock), || {
        step("Fetching Dawn (npm ci)", || {
            let fetch = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
            run(Command::new("npm").args(fetch).arg("--prefix").arg(&folder))
        })
    })
}

/// Installs packages of Debian's, as root.
fn install(what: &str, packages: &[&str]) -> Done {
    step(what, || {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        run(Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    })
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
