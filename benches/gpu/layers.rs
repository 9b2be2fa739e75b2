//! Layers and attention by themselves, in the shapes of `layers.json`.

use std::collections::BTreeMap;

use loupe::{
    exec::{Executor, Gpu, Input},
    gguf::{GgmlType, Tensor},
    graph::{Builder, Live, Mask, Plan, Rows},
};
use serde::Deserialize;

use crate::{
    Done,
    ceilings::Ceilings,
    report::{Report, digits, median, share},
};

#[derive(Deserialize)]
struct Layers {
    types: BTreeMap<String, u32>,
    shapes: Vec<Shape>,
}

#[derive(Deserialize)]
struct Shape {
    what: String,
    m: usize,
    n: usize,
    k: usize,
}

/// Rows and keys, heads, and channels of each, of an encoder's and of a decoder's attention.
const ATTENTION: [(&str, usize, usize, usize); 2] = [("encode", 1024, 12, 64), ("prefill", 128, 16, 64)];
/// Times that a layer is computed in one run of a GPU, so that handing over and reading count for little.
const AT_ONCE: usize = 4;
/// What a GPU in software is given at most: rows, and bytes of weights. A GPU's weights need but fit a small one's memory.
const SOFTWARE: (usize, usize) = (64, 16 << 20);
const HARDWARE: (usize, usize) = (usize::MAX, 512 << 20);

/// A line for each type and shape.
pub fn measure(gpu: &mut Gpu, ceilings: &Ceilings, report: &mut Report) -> Done {
    let layers: Layers = serde_json::from_str(include_str!("../layers.json"))?;
    let (most_rows, most_bytes) = if report.software { SOFTWARE } else { HARDWARE };
    let at_once = if report.software { 1 } else { AT_ONCE };
    report.say(
        "\n| layer | weights | rows × out × in | ms | weights, GB/s | of copying | GFLOP/s | of f32 |\n\
         | --- | --- | --- | --: | --: | --: | --: | --: |\n",
    )?;
    for (name, &code) in &layers.types {
        let ggml_type = GgmlType::from_code(code).ok_or("an unknown type in layers.json")?;
        for Shape { what, m, n, k } in &layers.shapes {
            let (m, n, k) = (*m.min(&most_rows), *n, *k);
            let bytes = ggml_type.bytes_of(n * k);
            if bytes > most_bytes {
                continue;
            }
            let seconds = layer(gpu, ggml_type, [m, n, k], at_once)?;
            let (flops, bytes) = (2.0 * (m * n * k) as f64 / seconds, bytes as f64 / seconds);
            report.say(&format!(
                "| {what} | {name} | {m} × {n} × {k} | {} | {} | {} | {} | {} |\n",
                digits(seconds * 1e3),
                digits(bytes / 1e9),
                share(bytes, ceilings.bytes),
                digits(flops / 1e9),
                share(flops, ceilings.f32),
            ))?;
        }
    }
    report.say(
        "\n| attention | rows × keys, heads × channels | ms | GFLOP/s | of f32 |\n| --- | --- | --: | --: | --: |\n",
    )?;
    for (what, rows, heads, dim) in ATTENTION {
        let rows = rows.min(4 * most_rows.min(rows));
        let seconds = attention(gpu, rows, heads, dim, at_once)?;
        let flops = 4.0 * (rows * rows * heads * dim) as f64 / seconds;
        report.say(&format!(
            "| {what} | {rows} × {rows}, {heads} × {dim} | {} | {} | {} |\n",
            digits(seconds * 1e3),
            digits(flops / 1e9),
            share(flops, ceilings.f32),
        ))?;
    }
    Ok(())
}

fn layer(gpu: &mut Gpu, ggml_type: GgmlType, [m, n, k]: [usize; 3], at_once: usize) -> Done<f64> {
    // Any two of these bytes are an ordinary half: none is denormal, infinite or no number.
    let byte = |i: usize| 0x20 + (i.wrapping_mul(0x9e37_79b9) >> 11) as u8 % 0x1b;
    let data = (0..ggml_type.bytes_of(n * k)).map(byte).collect();
    gpu.load("w", Tensor { shape: vec![n, k], ggml_type, data })?;
    let mut g = Builder::default();
    let x = g.input("x", Rows::Fixed(m), k);
    let w = g.weight("w", [n, k]);
    let ys = (0..at_once).map(|_| g.linear(x, w, None, None)).collect();
    Ok(seconds(gpu, &Plan::new(g.finish(ys)?), &[("x", m * k)])? / at_once as f64)
}

fn attention(gpu: &mut Gpu, rows: usize, heads: usize, dim: usize, at_once: usize) -> Done<f64> {
    let mut g = Builder::default();
    let [q, k, v] = ["q", "k", "v"].map(|name| g.input(name, Rows::Fixed(rows), heads * dim));
    let ys = (0..at_once).map(|_| g.attend([q, k, v], heads, heads, Mask::Full)).collect();
    let len = rows * heads * dim;
    Ok(seconds(gpu, &Plan::new(g.finish(ys)?), &[("q", len), ("k", len), ("v", len)])? / at_once as f64)
}

fn seconds(gpu: &mut Gpu, plan: &Plan, inputs: &[(&str, usize)]) -> Done<f64> {
    let numbers: Vec<Vec<f32>> =
        inputs.iter().map(|(_, len)| (0..*len).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect()).collect();
    let inputs: Vec<_> = inputs.iter().zip(&numbers).map(|((name, _), x)| (*name, Input::Matrix(x))).collect();
    median(|| {
        gpu.run(plan, &Live::default(), &inputs, None)?;
        Ok(gpu.wait()?)
    })
}
