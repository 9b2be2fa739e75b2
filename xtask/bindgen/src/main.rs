//! `bindgen MODULE.wasm DIR`: writes the module, its JavaScript and its TypeScript declarations into DIR.
//!
//! A small program around wasm-bindgen's library: `cargo install wasm-bindgen-cli` builds an HTTP server and a test
//! runner besides, which takes three times as long.

use std::{env, error::Error};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(module), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bindgen MODULE.wasm DIR".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.omit_default_module_path(false).typescript(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(folder)?;
    Ok(())
}
