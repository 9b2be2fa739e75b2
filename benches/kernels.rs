//! How fast the kernels run on this machine without a browser: `cargo bench --bench kernels`. One line of JSON for each
//! instruction set, layer and number of threads; `cargo xtask bench --kernels` puts them into its report.

use std::{collections::BTreeMap, error::Error};

use loupe::exec::cpu::{
    bench::{Bench, Layer},
    isa::Isa,
};
use serde::Deserialize;

/// What is measured natively and in the browser alike.
#[derive(Deserialize)]
struct Layers {
    types: BTreeMap<String, u32>,
    shapes: Vec<Shape>,
    ms: f64,
}

#[derive(Deserialize)]
struct Shape {
    what: String,
    m: usize,
    n: usize,
    k: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let layers: Layers = serde_json::from_str(include_str!("layers.json"))?;
    for isa in Isa::available() {
        let mut bench = Bench::new(isa, 1);
        for (name, &code) in &layers.types {
            for Shape { what, m, n, k } in &layers.shapes {
                let (m, n, k) = (*m, *n, *k);
                let mut line = serde_json::to_value(bench.layer(Layer { code, m, n, k, ms: layers.ms })?)?;
                let said = serde_json::json!({ "where": "native", "type": name, "what": what, "m": m, "n": n, "k": k });
                line.as_object_mut()
                    .into_iter()
                    .zip(said.as_object())
                    .for_each(|(line, said)| line.extend(said.clone()));
                println!("{line}");
            }
        }
    }
    Ok(())
}
