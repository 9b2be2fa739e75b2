//! What a model takes in memory is told from its headers, for every family.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use loupe::session::Opening;

#[test]
fn headers_of_every_family_tell_what_it_takes() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    let mut told = 0;
    for family in fs::read_dir(families).unwrap().map(|entry| entry.unwrap().path()) {
        let files = ["text.gguf", "mmproj.gguf"].map(|name| family.join(name));
        if !files.iter().all(|path| path.exists()) {
            continue;
        }
        let mut opening = Opening::default();
        for (at, path) in files.iter().enumerate() {
            for chunk in fs::read(path).unwrap().chunks(4096) {
                // The weights are not needed for it.
                if !opening.knows(at) {
                    opening.push(at, chunk).unwrap();
                }
            }
        }
        let name = family.file_name().unwrap().to_string_lossy().into_owned();
        let needs = opening.needs().unwrap_or_else(|e| panic!("{name}: {e}")).unwrap();
        let bytes: u64 = files.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(needs.weights > 0 && needs.weights < bytes, "{name}: {needs:?}");
        assert!(needs.cache > 0 && needs.working > 0 && needs.context > 0, "{name}: {needs:?}");
        told += 1;
    }
    assert!(told > 0, "there is no family to ask");
}
