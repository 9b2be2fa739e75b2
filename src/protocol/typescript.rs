//! Writes the protocol as TypeScript, so that the page cannot drift from the runtime.

use std::{env, fs, path::Path};

use ts_rs::{Config, TS};

use super::*;
use crate::{
    error::ErrorKind,
    source::{Chunks, Manifest, Remote},
};

/// The committed file, relative to the repository.
const FILE: &str = "www/lib/protocol.gen.ts";

#[test]
fn committed_types_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let wanted = module();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, wanted).expect("the TypeScript types can be written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{FILE} is not what src/protocol.rs says: run `UPDATE=1 cargo test typescript`");
}

/// The whole TypeScript module.
fn module() -> String {
    let config = Config::new();
    let types = [
        declare::<Request>(&config),
        declare::<Exchange>(&config),
        declare::<AskOptions>(&config),
        declare::<Format>(&config),
        declare::<Event>(&config),
        declare::<Phase>(&config),
        declare::<ModelInfo>(&config),
        declare::<Needs>(&config),
        declare::<Layout>(&config),
        declare::<SeeTimings>(&config),
        declare::<Finish>(&config),
        declare::<Answer>(&config),
        declare::<Usage>(&config),
        declare::<ErrorKind>(&config),
        declare::<Manifest>(&config),
        declare::<Remote>(&config),
        declare::<Chunks>(&config),
    ];
    format!("// Generated from src/protocol.rs by its test; do not edit.\n\n{}", types.join("\n"))
}

/// One exported type with its documentation.
fn declare<T: TS>(config: &Config) -> String {
    format!("{}export {}\n", T::docs().unwrap_or_default(), T::decl(config))
}
