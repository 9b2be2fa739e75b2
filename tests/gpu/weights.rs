//! Every type of weights: layers of few and of many rows, and embeddings, against the blocks' definition in f64.

use loupe::{
    exec::{Executor, Gpu, Input, cpu::blocks, gpu::Wish},
    gguf::{GgmlType, Tensor},
    graph::{Act, Builder, Graph, Live, Plan, Rows, Trace},
};

use crate::{WISHES, native, noise, off};

const TYPES: [(GgmlType, &str); 13] = [
    (GgmlType::F32, "f32"),
    (GgmlType::F16, "f16"),
    (GgmlType::Q8_0, "q8_0"),
    (GgmlType::Q4_0, "q4_0"),
    (GgmlType::Q5_0, "q5_0"),
    (GgmlType::Q4_K, "q4_k"),
    (GgmlType::Q5_K, "q5_k"),
    (GgmlType::Q6_K, "q6_k"),
    (GgmlType::BF16, "f32, for want of a kernel"),
    (GgmlType::Q4_1, "f32, for want of a kernel"),
    (GgmlType::Q5_1, "f32, for want of a kernel"),
    (GgmlType::Q2_K, "f32, for want of a kernel"),
    (GgmlType::Q3_K, "f32, for want of a kernel"),
];

/// Blocks of random bits, of which only the halves that scale them are tame; and the numbers they mean.
fn blocks(ggml_type: GgmlType, rows: usize, cols: usize, seed: u64) -> (Tensor, Vec<f64>) {
    let len = ggml_type.bytes_of(rows * cols);
    let mut data: Vec<u8> = noise(seed, len).iter().map(|x| (x * 1e6) as i32 as u8).collect();
    let scale = |at: usize| half::f16::from_f32(0.01 + 0.001 * (at % 7) as f32).to_le_bytes();
    for (at, block) in data.chunks_exact_mut(ggml_type.block_bytes()).enumerate() {
        let halves: &[usize] = match ggml_type {
            GgmlType::F32 => {
                block.copy_from_slice(&noise(seed + at as u64, 1)[0].to_le_bytes());
                &[]
            }
            GgmlType::F16 => {
                block.copy_from_slice(&half::f16::from_f32(noise(seed + at as u64, 1)[0]).to_le_bytes());
                &[]
            }
            GgmlType::BF16 => {
                block.copy_from_slice(&half::bf16::from_f32(noise(seed + at as u64, 1)[0]).to_le_bytes());
                &[]
            }
            GgmlType::Q8_0 | GgmlType::Q4_0 | GgmlType::Q5_0 => &[0],
            GgmlType::Q4_1 | GgmlType::Q5_1 | GgmlType::Q4_K | GgmlType::Q5_K => &[0, 2],
            GgmlType::Q2_K => &[80, 82],
            GgmlType::Q3_K => &[108],
            GgmlType::Q6_K => &[208],
        };
        for &place in halves {
            block[place..place + 2].copy_from_slice(&scale(at + place));
        }
    }
    let mut floats = vec![0.0; rows * cols];
    blocks::dequantise(ggml_type, &data, &mut floats);
    (Tensor { shape: vec![rows, cols], ggml_type, data }, floats.into_iter().map(f64::from).collect())
}

fn layer(inner: usize, out: usize) -> Graph {
    let mut g = Builder::default();
    let x = g.input("x", Rows::Tokens, inner);
    let (w, b) = (g.weight("w", [out, inner]), g.weight("b", [1, out]));
    let y = g.linear(x, w, Some(b), Some(Act::Silu));
    g.finish(vec![y]).unwrap()
}

fn embedding(vocabulary: usize, cols: usize) -> Graph {
    let mut g = Builder::default();
    let w = g.weight("w", [vocabulary, cols]);
    let y = g.embed(w);
    g.finish(vec![y]).unwrap()
}

/// Layers of 130 outputs and embeddings of each type on one device, of which a binding reaches `binding` bytes.
fn check(binding: u64, counts: &[usize], wish: Wish) {
    let out = 130;
    let Some(native) = native() else { return };
    let mut gpu = Gpu::on(native.limited(binding), wish);
    let halves = gpu.description().contains(", f16");
    for (ggml_type, how) in TYPES {
        // What no block divides is a matter of the types without blocks.
        let inner = if ggml_type.block_len() == 1 { 75 } else { 512 };
        let (tensor, w) = blocks(ggml_type, out, inner, 7);
        let (bias, b) = blocks(GgmlType::F16, 1, out, 8);
        gpu.load("w", tensor).unwrap();
        gpu.load("b", bias).unwrap();
        let plan = Plan::new(layer(inner, out));
        for &rows in counts {
            let (x, mut trace) = (noise(9, rows * inner), Trace::default());
            let live = Live { tokens: rows, ..Live::default() };
            gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], Some(&mut trace)).unwrap();
            assert_eq!(trace.entries[1].how, how, "{ggml_type:?}");
            let got = pollster::block_on(gpu.read(0)).unwrap();
            let want: Vec<f64> = (0..rows * out)
                .map(|at| {
                    let (x, w) = (&x[at / out * inner..][..inner], &w[at % out * inner..][..inner]);
                    let sum = x.iter().zip(w).map(|(x, w)| f64::from(*x) * w).sum::<f64>() + b[at % out];
                    sum / (1.0 + (-sum).exp())
                })
                .collect();
            // Each of some hundred products and sums is rounded to f32; and factors to halves, by 2⁻¹² of each, where rows are
            // many. Such errors have either sign, and a sum of them grows as the sum itself.
            let rounded = if halves && rows > 4 { 4.0 * 2f64.powi(-11) } else { 0.0 };
            let off = off(&got, &want);
            assert!(off < inner as f64 * 2f64.powi(-23) + rounded, "{ggml_type:?}, {rows} rows: off by {off}");
        }
        let plan = Plan::new(embedding(out, inner));
        let ids = [out as u32 - 1, 0, 17, 17];
        let live = Live { tokens: ids.len(), ..Live::default() };
        gpu.run(&plan, &live, &[("ids", Input::Index(&ids))], None).unwrap();
        let got = pollster::block_on(gpu.read(0)).unwrap();
        let want: Vec<f64> = ids.iter().flat_map(|&id| w[id as usize * inner..][..inner].to_vec()).collect();
        let off = off(&got, &want);
        assert!(off < 1e-6, "{ggml_type:?}, embedded: off by {off}");
    }
}

#[test]
fn every_type_multiplies_and_embeds() {
    WISHES.into_iter().for_each(|wish| check(u64::MAX, &[1, 3, 70], wish));
}

#[test]
fn weights_larger_than_a_binding_are_cut_into_parts() {
    // The narrowest weights here are 33,280 bytes of codes; all values of a graph together are 23,080.
    check(24_576, &[1, 5], Wish::default());
}
