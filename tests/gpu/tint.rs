//! The texts through Chromium's compiler, which is where most of them will run. `cargo xtask test` fetches it.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use loupe::exec::gpu::prologue;

use crate::shaders::{VARIANTS, texts};

#[test]
fn every_kernel_is_accepted_by_chromium() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dawn");
    if !folder.join("node_modules/webgpu").exists() {
        // Past the test runner, which would keep it from whoever reads.
        writeln!(std::io::stderr(), "skipped: Dawn is not installed (npm ci in tests/dawn)").ok();
        return;
    }
    assert_eq!(check(&folder, &VARIANTS.into_iter().flat_map(texts).collect::<Vec<_>>()), "");
    // Accepted by naga, and by every native test.
    let parting = "@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) thread: u32) {
        if (thread < 7u) { return; }
        workgroupBarrier();
    }";
    let refusal = check(&folder, &[("parting".to_owned(), parting.to_owned())]);
    assert!(refusal.contains("uniform control flow"), "{refusal}");
}

/// What Tint says against the texts.
fn check(folder: &Path, texts: &[(String, String)]) -> String {
    let texts: Vec<_> = texts.iter().map(|(name, text)| (name, format!("{}{text}", prologue(text)))).collect();
    let mut node = Command::new("node")
        .arg("tint.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(serde_json::to_string(&texts).unwrap().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || told.contains("error: "), "Dawn failed: {told}");
    if output.status.success() { String::new() } else { told }
}
