//! Every operation of the graph on every executor against its definition in f64.

#![allow(clippy::unwrap_used)]

#[path = "../adapter/mod.rs"]
mod adapter;
mod recurrent;
mod strips;

use loupe::{
    exec::{
        AnyExecutor, Cpu, Executor, Input, Reference,
        cpu::{isa::Isa, pool::Pool},
    },
    gguf::{GgmlType, Tensor},
    graph::{
        Act, Builder, CacheId, Graph, Live, Mask, NormKind, Plan, RopeKind, Rows, Trace, Turn, Value, first_difference,
    },
};

/// Numbers in −1…1 that look random and are the same on every machine.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn weight(rows: usize, cols: usize, seed: u64) -> Tensor {
    let data = noise(seed, rows * cols).iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor { shape: vec![rows, cols], ggml_type: GgmlType::F32, data }
}

/// The reference, the processor with all instructions it has, alone and in company, and the GPU.
fn executors() -> Vec<AnyExecutor> {
    let cpu = |(isa, threads)| AnyExecutor::Cpu(Box::new(Cpu::with(isa, Pool::new(threads))));
    let cpus = Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 3)]).map(cpu);
    std::iter::once(AnyExecutor::Reference(Reference::default())).chain(cpus).chain(adapter::gpus()).collect()
}

/// A result and the executor that gave it.
type Got = (String, Vec<f32>);

/// What rounding factors to halves adds to a bound of layers with many rows.
fn rounding(executor: &str) -> f64 {
    // 2⁻¹² of each of two factors, of either sign: sums of such errors grow as sums of the products do.
    if executor.contains(", f16") { 8.0 / 4096.0 } else { 0.0 }
}

/// Runs a graph of one output whose weights are `noise(index + 100)`.
fn run(graph: Graph, live: Live, inputs: &[(&str, Input)]) -> Vec<Got> {
    let plan = Plan::new(graph);
    let mut all = Vec::new();
    for mut executor in executors() {
        for (at, w) in plan.graph().weights.iter().enumerate() {
            executor.load(&w.name, weight(w.shape[0], w.shape[1], at as u64 + 100)).unwrap();
        }
        executor.run(&plan, &live, inputs, None).unwrap();
        all.push((executor.description(), pollster::block_on(executor.read(0)).unwrap()));
    }
    all
}

/// Fails with the worst element when one is off by more than `bound` times the largest expected magnitude.
#[track_caller]
fn close(name: &str, got: &[Got], want: &[f64], bound: f64) {
    let scale = want.iter().fold(1e-9f64, |m, v| m.max(v.abs()));
    for (executor, got) in got {
        assert_eq!(got.len(), want.len(), "{name} on {executor}: elements");
        let off = |at: &usize| {
            let off = (f64::from(got[*at]) - want[*at]).abs();
            if off.is_nan() { f64::INFINITY } else { off }
        };
        let Some(at) = (0..want.len()).max_by(|a, b| off(a).total_cmp(&off(b))) else { continue };
        assert!(off(&at) <= bound * scale, "{name} on {executor}: element {at} is {}, should be {}", got[at], want[at]);
    }
}

fn f64s(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&v| v.into()).collect()
}

/// A graph whose input `x` is `[rows, cols]`.
fn unary(rows: usize, cols: usize, op: impl Fn(&mut Builder, Value) -> Value) -> Graph {
    let mut g = Builder::default();
    let x = g.input("x", Rows::Fixed(rows), cols);
    let y = op(&mut g, x);
    g.finish(vec![y]).unwrap()
}

/// A sum of `n` products of numbers up to 1, each rounded to f32, is off by at most about n·2⁻²³.
fn sum_bound(n: usize) -> f64 {
    n as f64 * 2f64.powi(-23) + 1e-6
}

#[test]
fn linear_multiplies_adds_and_activates() {
    for (rows, inner, out) in [(1, 32, 7), (5, 96, 33), (17, 64, 64)] {
        let x = noise(1, rows * inner);
        let graph = unary(rows, inner, |g, x| {
            let (w, b) = (g.weight("w", [out, inner]), g.weight("b", [1, out]));
            g.linear(x, w, Some(b), Some(Act::Silu))
        });
        let got = run(graph, Live::default(), &[("x", Input::Matrix(&x))]);
        let (w, b) = (noise(100, out * inner), noise(101, out));
        let mut want = Vec::new();
        for r in 0..rows {
            for o in 0..out {
                let dot: f64 = (0..inner).map(|i| f64::from(x[r * inner + i]) * f64::from(w[o * inner + i])).sum();
                let y = dot + f64::from(b[o]);
                want.push(y / (1.0 + (-y).exp()));
            }
        }
        for got in got {
            let bound = sum_bound(inner) + if rows > 4 { rounding(&got.0) } else { 0.0 };
            close("linear", &[got], &want, bound);
        }
    }
}

#[test]
fn activations_follow_their_formulas() {
    let x: Vec<f32> = noise(2, 256).iter().map(|v| v * 6.0).collect();
    // erf by its series, which converges for every argument used here.
    let erf = |x: f64| {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    };
    let tanh_inner = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
    type F<'a> = (&'a str, Act, Box<dyn Fn(f64) -> f64>);
    let table: Vec<F> = vec![
        ("silu", Act::Silu, Box::new(|x: f64| x / (1.0 + (-x).exp()))),
        ("gelu tanh", Act::GeluTanh, Box::new(move |x: f64| 0.5 * x * (1.0 + tanh_inner(x).tanh()))),
        ("gelu erf", Act::GeluErf, Box::new(move |x: f64| 0.5 * x * (1.0 + erf(x / 2f64.sqrt())))),
        ("quick gelu", Act::GeluQuick, Box::new(|x: f64| x / (1.0 + (-1.702 * x).exp()))),
        ("sigmoid", Act::Sigmoid, Box::new(|x: f64| 1.0 / (1.0 + (-x).exp()))),
        ("softplus", Act::Softplus, Box::new(|x: f64| x.exp().ln_1p())),
    ];
    for (name, act, f) in table {
        let got = run(unary(4, 64, |g, x| g.act(x, act)), Live::default(), &[("x", Input::Matrix(&x))]);
        close(name, &got, &x.iter().map(|&v| f(v.into())).collect::<Vec<_>>(), 2e-6);
        let gated = unary(4, 64, |g, x| g.gate(x, x, Some(act)));
        let got = run(gated, Live::default(), &[("x", Input::Matrix(&x))]);
        close(name, &got, &x.iter().map(|&v| f(v.into()) * f64::from(v)).collect::<Vec<_>>(), 2e-6);
    }
    let got = run(unary(4, 64, |g, x| g.gate(x, x, None)), Live::default(), &[("x", Input::Matrix(&x))]);
    close("product", &got, &x.iter().map(|&v| f64::from(v).powi(2)).collect::<Vec<_>>(), 1e-6);
}

#[test]
fn norms_work_by_groups() {
    let (rows, cols) = (5, 96);
    let x = noise(3, rows * cols);
    let bare = unary(rows, cols, |g, x| g.norm(x, NormKind::Rms, None, None, 1e-5, 4));
    let by = |group: &[f64]| (group.iter().map(|v| v * v).sum::<f64>() / 24.0 + 1e-5).sqrt();
    let want = f64s(&x)
        .chunks(24)
        .flat_map(|group| group.iter().map(|v| v / by(group)).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    close("a bare norm", &run(bare, Live::default(), &[("x", Input::Matrix(&x))]), &want, 1e-5);
    for (kind, groups) in [(NormKind::Rms, 1), (NormKind::Rms, 3), (NormKind::Layer, 1), (NormKind::Layer, 4)] {
        let len = cols / groups;
        let graph = unary(rows, cols, |g, x| {
            let (w, b) = (g.weight("w", [1, len]), g.weight("b", [1, len]));
            g.norm(x, kind, Some(w), Some(b), 1e-5, groups)
        });
        let got = run(graph, Live::default(), &[("x", Input::Matrix(&x))]);
        let (w, b) = (f64s(&noise(100, len)), f64s(&noise(101, len)));
        let want: Vec<f64> = f64s(&x)
            .chunks(len)
            .flat_map(|group| {
                let mean = if kind == NormKind::Layer { group.iter().sum::<f64>() / len as f64 } else { 0.0 };
                let square = group.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / len as f64;
                let by = 1.0 / (square + 1e-5).sqrt();
                group.iter().zip(&w).zip(&b).map(|((v, w), b)| (v - mean) * by * w + b).collect::<Vec<_>>()
            })
            .collect();
        close("norm", &got, &want, 1e-5);
    }
}

#[test]
fn rope_turns_either_pairing_and_leaves_the_rest() {
    let (rows, heads, dim, base, position) = (3, 2, 16, 10_000f64, 5);
    let x = noise(4, rows * heads * dim);
    for kind in [RopeKind::Pairs, RopeKind::Halves] {
        for (turned, scaled) in [(16, false), (8, false), (8, true)] {
            let mut g = Builder::default();
            let v = g.input("x", Rows::Fixed(rows), heads * dim);
            let factors = scaled.then(|| g.weight("factors", [1, turned / 2]));
            let y = g.rope(v, heads, Turn { kind, turned, base: base as f32, factors });
            let live = Live { position, ..Live::default() };
            let got = run(g.finish(vec![y]).unwrap(), live, &[("x", Input::Matrix(&x))]);
            let mut want = f64s(&x);
            for r in 0..rows {
                for h in 0..heads {
                    let head = (r * heads + h) * dim;
                    for i in 0..turned / 2 {
                        let (a, b) = match kind {
                            RopeKind::Pairs => (head + 2 * i, head + 2 * i + 1),
                            RopeKind::Halves => (head + i, head + i + turned / 2),
                        };
                        let by = if scaled { f64::from(noise(100, turned / 2)[i]) } else { 1.0 };
                        let turn = base.powf(-2.0 * i as f64 / turned as f64) / by;
                        let (sin, cos) = ((position + r) as f64 * turn).sin_cos();
                        let (p, q) = (f64::from(x[a]), f64::from(x[b]));
                        (want[a], want[b]) = (p * cos - q * sin, p * sin + q * cos);
                    }
                }
            }
            close("rope", &got, &want, 1e-5);
        }
    }
}

/// softmax(q·kᵀ/√dim)·v, one query, head and key at a time.
fn attention(q: &[f32], k: &[f32], v: &[f32], heads: usize, kv_heads: usize, dim: usize, mask: Mask) -> Vec<f64> {
    let (rows, keys) = (q.len() / (heads * dim), k.len() / (kv_heads * dim));
    let mut want = Vec::new();
    for r in 0..rows {
        for h in 0..heads {
            let at = h / (heads / kv_heads);
            let seen = match mask {
                Mask::Full => 0..keys,
                Mask::Causal => 0..keys - rows + r + 1,
                Mask::Windows(n) => r / n * n..(r / n + 1) * n,
            };
            let dot = |j: usize| -> f64 {
                (0..dim)
                    .map(|d| f64::from(q[(r * heads + h) * dim + d]) * f64::from(k[(j * kv_heads + at) * dim + d]))
                    .sum::<f64>()
                    / (dim as f64).sqrt()
            };
            let weights: Vec<f64> = seen.clone().map(|j| dot(j).exp()).collect();
            let total: f64 = weights.iter().sum();
            for d in 0..dim {
                let value = |j: usize| f64::from(v[(j * kv_heads + at) * dim + d]);
                let sum: f64 = seen.clone().zip(&weights).map(|(j, weight)| weight * value(j)).sum();
                want.push(sum / total);
            }
        }
    }
    want
}

#[test]
fn attention_shares_heads_and_hides_the_future() {
    for (rows, keys, heads, kv_heads, dim, mask) in [
        (3, 7, 2, 2, 8, Mask::Full),
        (5, 5, 4, 2, 16, Mask::Causal),
        (1, 9, 6, 3, 8, Mask::Causal),
        (2, 9, 4, 1, 72, Mask::Causal),
        (12, 12, 4, 2, 8, Mask::Windows(4)),
        (600, 600, 3, 3, 24, Mask::Windows(4)),
        (6, 6, 2, 1, 8, Mask::Windows(6)),
    ] {
        let (q, k, v) =
            (noise(5, rows * heads * dim), noise(6, keys * kv_heads * dim), noise(7, keys * kv_heads * dim));
        let mut g = Builder::default();
        let a = g.input("q", Rows::Fixed(rows), heads * dim);
        let b = g.input("k", Rows::Fixed(keys), kv_heads * dim);
        let c = g.input("v", Rows::Fixed(keys), kv_heads * dim);
        let y = g.attend([a, b, c], heads, kv_heads, mask);
        let inputs = [("q", Input::Matrix(&q)), ("k", Input::Matrix(&k)), ("v", Input::Matrix(&v))];
        let got = run(g.finish(vec![y]).unwrap(), Live::default(), &inputs);
        close("attend", &got, &attention(&q, &k, &v, heads, kv_heads, dim, mask), 1e-5);
    }
}

#[test]
fn a_cache_grows_and_can_be_cut_back() {
    let cols = 4;
    let mut g = Builder::default();
    let x = g.input("x", Rows::Tokens, cols);
    let all = g.store(x, CacheId(0));
    let plan = Plan::new(g.finish(vec![all]).unwrap());
    for mut executor in executors() {
        let mut held: Vec<f32> = Vec::new();
        // Position 2 comes after 5 rows were stored: the later three are given up.
        for (position, rows) in [(0, 3), (3, 2), (2, 1), (3, 400), (403, 1)] {
            let x = noise(position as u64 + 50, rows * cols);
            held.truncate(position * cols);
            held.extend(&x);
            let live = Live { tokens: rows, pictures: 0, position };
            executor.run(&plan, &live, &[("x", Input::Matrix(&x))], None).unwrap();
            let got = (executor.description(), pollster::block_on(executor.read(0)).unwrap());
            // A cache may hold halves, of eleven bits.
            close("cache", &[got], &f64s(&held), 2f64.powi(-11));
        }
    }
}

#[test]
fn rows_are_gathered_joined_looked_up_and_ranked() {
    let mut g = Builder::default();
    let table = g.weight("table", [9, 4]);
    let tokens = g.embed(table);
    let pictures = g.input("pictures", Rows::Pictures, 4);
    let all = g.concat(tokens, pictures);
    let mixed = g.gather(all, "order", Rows::Prompt);
    let sum = g.add(mixed, mixed);
    let graph = g.finish(vec![sum]).unwrap();
    let (rows, embedded) = (noise(8, 8), noise(100, 36));
    for (ids, pictures, order) in
        [(vec![8, 0], &rows[..], vec![2, 0, 3, 1]), (vec![], &rows[..], vec![1, 0]), (vec![3], &[][..], vec![0])]
    {
        let live = Live { tokens: ids.len(), pictures: pictures.len() / 4, position: 0 };
        let inputs =
            [("ids", Input::Index(&ids)), ("pictures", Input::Matrix(pictures)), ("order", Input::Index(&order))];
        let got = run(graph.clone(), live, &inputs);
        let row = |at: usize| match ids.get(at) {
            Some(&id) => &embedded[id as usize * 4..][..4],
            None => &pictures[(at - ids.len()) * 4..][..4],
        };
        let want: Vec<f64> = order.iter().flat_map(|&at| row(at as usize)).map(|&v| 2.0 * f64::from(v)).collect();
        close("mixed rows", &got, &want, 0.0);
    }
    let x = noise(12, 24);
    let got = run(unary(2, 12, |g, x| g.columns(x, 3, 1, 2)), Live::default(), &[("x", Input::Matrix(&x))]);
    let want: Vec<f64> = f64s(&x).chunks(4).flat_map(|group| group[1..3].to_vec()).collect();
    close("columns", &got, &want, 0.0);
    let got = run(
        unary(2, 4, |g, x| g.top_k(x, 3)),
        Live::default(),
        &[("x", Input::Matrix(&[1., 3., 3., 2., 0., -1., -2., 5.]))],
    );
    // Largest first, the lower column among equals.
    close("top", &got, &[1., 2., 3., 3., 0., 1.], 0.0);
    // A row as long as a vocabulary, its largest in several parts of it, two of them equal.
    let mut x = noise(13, 2 * 9000);
    for (at, number) in [(8999, 3.0), (4100, 2.0), (70, 2.0), (9000, 2.5), (17_000, 2.75)] {
        x[at] = number;
    }
    let got = run(unary(2, 9000, |g, x| g.top_k(x, 3)), Live::default(), &[("x", Input::Matrix(&x))]);
    let third = (9001..18_000).filter(|at| *at != 17_000).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap() - 9000;
    close("top of many", &got, &[8999., 70., 4100., 8000., 0., third as f64], 0.0);
}

#[test]
fn neighbouring_rows_are_folded() {
    let x = noise(12, 6 * 5);
    let graph = unary(6, 5, |g, x| {
        let folded = g.fold(x, 3);
        g.columns(folded, 1, 5, 5)
    });
    let got = run(graph, Live::default(), &[("x", Input::Matrix(&x))]);
    // Of rows 0, 1 and 2 side by side, row 1; then row 4.
    close("folded", &got, &f64s(&[&x[5..10], &x[20..25]].concat()), 0.0);
    for wrong in [0, 4] {
        let mut g = Builder::default();
        let x = g.input("x", Rows::Fixed(6), 5);
        let y = g.fold(x, wrong);
        assert!(g.finish(vec![y]).is_err(), "six rows by {wrong}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let mut g = Builder::default();
    let x = g.input("x", Rows::Fixed(2), 8);
    g.scope("blk.3");
    let w = g.weight("w", [4, 9]);
    let y = g.linear(x, w, None, None);
    let message = g.finish(vec![y]).unwrap_err().to_string();
    assert!(message.contains("blk.3"), "{message}");
}

/// A small network with live rows, some values long-lived.
fn network() -> Graph {
    let mut g = Builder::default();
    let x = g.input("x", Rows::Tokens, 32);
    let w = g.weight("w", [64, 32]);
    let v = g.weight("v", [32, 64]);
    let mut y = x;
    for _ in 0..4 {
        let h = g.linear(y, w, None, Some(Act::Silu));
        let h = g.linear(h, v, None, None);
        y = g.add(y, h);
    }
    let z = g.add(y, x);
    g.finish(vec![z]).unwrap()
}

#[test]
fn an_input_that_comes_late_is_whole() {
    let mut g = Builder::default();
    let mut y = g.input("x", Rows::Fixed(4), 8);
    for _ in 0..3 {
        y = g.scale(y, 2.0);
    }
    // Its place is that of a value which is dead by now.
    let late = g.input("late", Rows::Fixed(4), 8);
    let sum = g.add(y, late);
    let (x, late) = (noise(13, 32), noise(14, 32));
    let inputs = [("x", Input::Matrix(&x)), ("late", Input::Matrix(&late))];
    let got = run(g.finish(vec![sum]).unwrap(), Live::default(), &inputs);
    let want: Vec<f64> = x.iter().zip(&late).map(|(x, late)| 8.0 * f64::from(*x) + f64::from(*late)).collect();
    close("a late input", &got, &want, 1e-6);
}

#[test]
fn a_plan_never_lets_two_living_values_share_memory() {
    let plan = Plan::new(network());
    for tokens in [1, 7, 64] {
        let live = Live { tokens, ..Live::default() };
        let (places, end) = plan.places(&live);
        let nodes = &plan.graph().nodes;
        for at in 0..nodes.len() {
            for other in 0..at {
                let alive = nodes[at..].iter().any(|n| n.op.reads().iter().any(|r| r.index() == other));
                let (Some(a), Some(b)) = (places[at], places[other]) else { continue };
                let apart = a.start + a.len <= b.start || b.start + b.len <= a.start;
                assert!(!alive || apart, "`{}` is overwritten while it is needed", nodes[other].name);
            }
        }
        // x, y, and the widest two of a step: far below the sum of all values.
        let all: usize = nodes.iter().map(|n| n.rows.resolve(&live) * n.cols).sum();
        assert!(end * 2 <= all, "the arena ({end}) re-uses little of {all}");
        assert_eq!(plan.arena_bytes(&live), end * 4);
    }
}

#[test]
fn a_trace_names_the_first_difference() {
    let plan = Plan::new(network());
    let record = |spoil: f32| {
        let mut executor = Reference::default();
        let mut w = weight(64, 32, 1);
        w.data[..4].copy_from_slice(&spoil.to_le_bytes());
        executor.load("w", w).unwrap();
        executor.load("v", weight(32, 64, 2)).unwrap();
        let (x, mut trace) = (noise(9, 64), Trace::with_values());
        let live = Live { tokens: 2, ..Live::default() };
        executor.run(&plan, &live, &[("x", Input::Matrix(&x))], Some(&mut trace)).unwrap();
        trace
    };
    assert_eq!(first_difference(&record(0.5), &record(0.5), 0.0), None);
    let (name, _) = first_difference(&record(0.5), &record(0.6), 1e-6).unwrap();
    assert_eq!(name, record(0.5).entries[1].name, "the first linear layer");
}

#[test]
fn every_node_of_a_network_equals_the_reference() {
    let plan = Plan::new(network());
    let mut traces = executors().into_iter().map(|mut executor| {
        executor.load("w", weight(64, 32, 1)).unwrap();
        executor.load("v", weight(32, 64, 2)).unwrap();
        let live = |tokens| Live { tokens, ..Live::default() };
        let mut trace = Trace::with_values();
        // The second call is smaller: it must not see what the first left behind.
        for tokens in [9, 2] {
            let x = noise(9, tokens * 32);
            executor.run(&plan, &live(tokens), &[("x", Input::Matrix(&x))], Some(&mut trace)).unwrap();
        }
        (executor.description(), trace)
    });
    let (_, reference) = traces.next().unwrap();
    for (name, trace) in traces {
        let bound = 64.0 * f32::EPSILON + 4.0 * rounding(&name) as f32;
        assert_eq!(first_difference(&trace, &reference, bound), None, "{name}");
    }
}

#[test]
fn a_missing_weight_input_or_row_is_named() {
    for mut executor in executors() {
        let name = executor.description();
        let plan = Plan::new(network());
        let error = executor.run(&plan, &Live { tokens: 1, ..Live::default() }, &[], None).unwrap_err();
        assert_eq!(error.kind(), loupe::ErrorKind::Internal, "{name}: {error}");
        let mut g = Builder::default();
        let x = g.input("x", Rows::Fixed(2), 4);
        let y = g.gather(x, "order", Rows::Fixed(1));
        let plan = Plan::new(g.finish(vec![y]).unwrap());
        let x = noise(1, 8);
        let inputs = [("x", Input::Matrix(&x)), ("order", Input::Index(&[2]))];
        let error = executor.run(&plan, &Live::default(), &inputs, None).unwrap_err();
        assert_eq!(error.kind(), loupe::ErrorKind::Internal, "{name}: {error}");
    }
}
