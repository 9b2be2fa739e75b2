//! Attention over caches, for every size of head there is, against its definition in f64.

use loupe::{
    exec::{Executor, Gpu, Input, gpu::Wish},
    graph::{Builder, CacheId, Live, Mask, Plan, Rows},
};

use crate::{WISHES, native, noise, off};

const HEADS: usize = 4;
const KV_HEADS: usize = 2;

fn plan(dim: usize) -> Plan {
    let mut g = Builder::default();
    let q = g.input("q", Rows::Tokens, HEADS * dim);
    let k = g.input("k", Rows::Tokens, KV_HEADS * dim);
    let v = g.input("v", Rows::Tokens, KV_HEADS * dim);
    let (k, v) = (g.store(k, CacheId(0)), g.store(v, CacheId(1)));
    let y = g.attend([q, k, v], HEADS, KV_HEADS, Mask::Causal);
    Plan::new(g.finish(vec![y]).unwrap())
}

/// What the query rows from `first` on see and answer.
fn wanted(q: &[f32], k: &[f32], v: &[f32], first: usize, dim: usize) -> Vec<f64> {
    let rows = k.len() / (KV_HEADS * dim);
    let mut y = Vec::new();
    for row in first..rows {
        for head in 0..HEADS {
            let kv = |x: &[f32], at: usize, d: usize| f64::from(x[(at * KV_HEADS + head / 2) * dim + d]);
            let one = |d: usize| f64::from(q[(row * HEADS + head) * dim + d]);
            let score = |at: usize| (0..dim).map(|d| one(d) * kv(k, at, d)).sum::<f64>() / (dim as f64).sqrt();
            let weights: Vec<f64> = (0..=row).map(|at| score(at).exp()).collect();
            let total: f64 = weights.iter().sum();
            y.extend((0..dim).map(|d| weights.iter().enumerate().map(|(at, w)| w * kv(v, at, d)).sum::<f64>() / total));
        }
    }
    y
}

#[test]
fn heads_of_every_size_read_their_caches() {
    check(WISHES[0], &[64, 72, 80, 96, 128, 256]);
    WISHES[1..].iter().for_each(|wish| check(*wish, &[72]));
}

fn check(wish: Wish, dims: &[usize]) {
    let Some(native) = native() else { return };
    let mut gpu = Gpu::on(native, wish);
    for &dim in dims {
        let plan = plan(dim);
        // A prompt, the rest of it, one token, and few: each with the other kernel's tile not quite full.
        let portions = [130, 9, 1, 3];
        let all: usize = portions.iter().sum();
        // Caches hold halves: what is one already comes out as it is.
        let halves = |x: Vec<f32>| x.into_iter().map(|x| half::f16::from_f32(x).to_f32()).collect::<Vec<_>>();
        let [k, v] = [2, 3].map(|seed| halves(noise(seed, all * KV_HEADS * dim)));
        let q = noise(1, all * HEADS * dim);
        let mut position = 0;
        for tokens in portions {
            let end = position + tokens;
            let [q_part, kv] = [HEADS, KV_HEADS].map(|heads| position * heads * dim..end * heads * dim);
            let inputs =
                [("q", Input::Matrix(&q[q_part])), ("k", Input::Matrix(&k[kv.clone()])), ("v", Input::Matrix(&v[kv]))];
            gpu.run(&plan, &Live { tokens, pictures: 0, position }, &inputs, None).unwrap();
            let got = pollster::block_on(gpu.read(0)).unwrap();
            let seen = end * KV_HEADS * dim;
            let off = off(&got, &wanted(&q, &k[..seen], &v[..seen], position, dim));
            assert!(off < 1e-5, "{}: heads of {dim}, {tokens} after {position}: off by {off}", gpu.description());
            position = end;
        }
    }
}
