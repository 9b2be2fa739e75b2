//! Nodes that are computed together say what they say one by one.

use loupe::{
    exec::{Executor, Gpu, Input},
    gguf::{GgmlType, Tensor},
    graph::{Act, Builder, CacheId, Graph, Live, Mask, NormKind, Plan, RopeKind, Rows, Trace, Turn},
};

use crate::{WISHES, native, noise};

const WIDTH: usize = 64;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;

/// Two layers of a decoder.
pub fn layers(kind: RopeKind) -> Graph {
    let (kv, inner, dim) = (WIDTH / HEADS * KV_HEADS, 96, WIDTH / HEADS);
    let mut g = Builder::default();
    let mut x = g.input("x", Rows::Tokens, WIDTH);
    for layer in 0..2 {
        let linear = |g: &mut Builder, x, name: &str, out| {
            let inner = g.width(x);
            let w = g.weight(format!("{name}.{layer}"), [out, inner]);
            g.linear(x, w, None, None)
        };
        let h = g.norm(x, NormKind::Rms, None, None, 1e-5, 1);
        let [q, k, v] = [("q", WIDTH), ("k", kv), ("v", kv)].map(|(name, out)| linear(&mut g, h, name, out));
        let turn = Turn { kind, turned: dim / 2, base: 10_000.0, factors: None };
        let (q, k) = (g.rope(q, HEADS, turn), g.rope(k, KV_HEADS, turn));
        let (k, v) = (g.store(k, CacheId(2 * layer)), g.store(v, CacheId(2 * layer + 1)));
        let a = g.attend([q, k, v], HEADS, KV_HEADS, Mask::Causal);
        let h = linear(&mut g, a, "o", WIDTH);
        x = g.add(x, h);
        let h = g.norm(x, NormKind::Rms, None, None, 1e-5, 1);
        let [gate, up] = ["gate", "up"].map(|name| linear(&mut g, h, name, inner));
        let h = g.gate(gate, up, Some(Act::Silu));
        let h = linear(&mut g, h, "down", WIDTH);
        x = g.add(h, x);
    }
    g.finish(vec![x]).unwrap()
}

#[test]
fn a_layer_is_twelve_dispatches_and_computes_what_its_nodes_do() {
    for (wish, kind) in WISHES.into_iter().zip([RopeKind::Halves, RopeKind::Pairs].into_iter().cycle()) {
        let plan = Plan::new(layers(kind));
        // Seen one by one, nodes are computed one by one.
        let run = |traced: bool| {
            let mut gpu = Gpu::on(native()?, wish);
            for (seed, weight) in plan.graph().weights.iter().enumerate() {
                let [rows, cols] = weight.shape;
                let data = noise(seed as u64 + 1, rows * cols).iter().flat_map(|x| (x * 0.2).to_le_bytes()).collect();
                gpu.load(&weight.name, Tensor { shape: vec![rows, cols], ggml_type: GgmlType::F32, data }).unwrap();
            }
            let (mut all, mut position) = (Vec::new(), 0);
            for tokens in [9, 1, 3] {
                let x = noise(50 + position as u64, tokens * WIDTH);
                let (live, mut trace) = (Live { tokens, pictures: 0, position }, Trace::default());
                gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], traced.then_some(&mut trace)).unwrap();
                if !traced {
                    assert_eq!(gpu.dispatches(), 24);
                }
                all.extend(pollster::block_on(gpu.read(0)).unwrap());
                position += tokens;
            }
            Some(all)
        };
        let (Some(one_by_one), Some(together)) = (run(true), run(false)) else { return };
        let largest = one_by_one.iter().fold(0f32, |most, x| most.max(x.abs()));
        for (at, (a, b)) in one_by_one.iter().zip(&together).enumerate() {
            // The same sums; a product may be rounded before a number is added to it, or not.
            assert!((a - b).abs() <= 1e-5 * largest, "{at}: {a} one by one, {b} together");
        }
    }
}
