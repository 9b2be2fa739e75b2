//! Networks run some rows at a time.

use loupe::{
    exec::{Executor, Input},
    gguf::{GgmlType, Tensor},
    graph::{Act, Builder, Graph, Live, Mask, Plan, Rows, Trace},
};

use crate::{executors, noise, weight};

const ROWS: usize = 1000;

/// Attention, then two feed-forward networks, one of them gated, and a value that is read long after a strip has left it.
fn network(rows: usize) -> Graph {
    let mut g = Builder::default();
    let x = g.input("x", Rows::Fixed(rows), 32);
    let [up, gate] = ["up", "gate"].map(|name| g.weight(name, [96, 32]));
    let down = g.weight("down", [32, 96]);
    let a = g.attend([x, x, x], 2, 2, Mask::Full);
    let x = g.add(x, a);
    let h = g.linear(x, up, None, Some(Act::GeluTanh));
    let early = g.linear(h, down, None, None);
    let x = g.add(x, early);
    let (b, h) = (g.linear(x, gate, None, None), g.linear(x, up, None, None));
    let h = g.gate(b, h, Some(Act::Silu));
    let h = g.linear(h, down, None, None);
    let x = g.add(x, h);
    let x = g.add(x, early);
    g.finish(vec![x]).unwrap()
}

#[test]
fn strips_are_where_values_widen_and_do_not_mix_rows() {
    let plan = Plan::new(network(ROWS));
    let names =
        |nodes: std::ops::Range<usize>| -> Vec<&str> { nodes.map(|at| plan.graph().nodes[at].op.kind()).collect() };
    let strips: Vec<_> = plan.strips().iter().map(|strip| names(strip.nodes.clone())).collect();
    assert_eq!(strips, [&["linear", "linear"][..], &["linear", "linear", "gate", "linear"]]);
    for strip in plan.strips() {
        let passes: Vec<_> = strip.passes().collect();
        assert!(passes.len() > 1 && passes.iter().all(|rows| rows.len() <= strip.pass()));
        assert_eq!(passes.iter().map(ExactSizeIterator::len).sum::<usize>(), ROWS);
        assert!(passes.windows(2).all(|two| two[0].end == two[1].start));
    }
    assert!(Plan::new(network(64)).strips().is_empty(), "few rows are one pass anyway");

    // Wide values that are an output, or of which attention reads all rows, must be whole.
    for attends in [false, true] {
        let mut g = Builder::default();
        let x = g.input("x", Rows::Fixed(ROWS), 32);
        let up = g.weight("up", [96, 32]);
        let h = g.linear(x, up, None, None);
        let y = if attends { g.attend([h, h, h], 2, 2, Mask::Full) } else { h };
        assert!(Plan::new(g.finish(vec![y]).unwrap()).strips().is_empty());
    }
}

#[test]
fn what_a_strip_needs_lies_apart_while_it_runs() {
    let plan = Plan::new(network(ROWS));
    let nodes = &plan.graph().nodes;
    let live = Live::default();
    let (places, end) = plan.places_in_strips(&live);
    let last = |value: usize| {
        let read = (0..nodes.len()).rev().find(|&at| nodes[at].op.reads().iter().any(|r| r.index() == value));
        read.unwrap_or(usize::MAX)
    };
    for strip in plan.strips() {
        let reads = strip.nodes.clone().flat_map(|at| nodes[at].op.reads()).map(|read| read.index());
        // What comes in, and what is needed after it, in each of its passes; of what is inside, what is alive together.
        let outer: Vec<_> =
            reads.chain(strip.nodes.clone()).filter(|&at| !plan.is_inside(strip, plan.value(at))).collect();
        for at in strip.nodes.clone() {
            let alive = strip.nodes.start..at;
            for &other in outer.iter().chain(alive.filter(|&other| last(other) >= at).collect::<Vec<_>>().iter()) {
                let (Some(a), Some(b)) = (places[at], places[other]) else { panic!("a value without a place") };
                let apart = a.start + a.len <= b.start || b.start + b.len <= a.start;
                assert!(at == other || apart, "`{}` is overwritten while it is needed", nodes[other].name);
            }
        }
    }
    let (_, whole) = plan.places(&live);
    assert!(end < whole && plan.arena_bytes(&live) == end * 4, "{end} of {whole}");
}

/// Pass by pass is bit by bit what all rows at once are: traces show values whole, so a traced run cuts no strips.
#[test]
fn passes_change_nothing() {
    let plan = Plan::new(network(ROWS));
    let x = noise(3, ROWS * 32);
    let quantised = |w: &loupe::graph::Weight, seed| {
        let [rows, cols] = w.shape;
        // Blocks of a scale of one 256th and whatever codes.
        let block = |at: usize| {
            let codes = noise(seed + at as u64, 32).into_iter().map(|v| (v * 127.0) as i8 as u8);
            [0, 0x1c].into_iter().chain(codes).collect::<Vec<_>>()
        };
        Tensor {
            shape: vec![rows, cols],
            ggml_type: GgmlType::Q8_0,
            data: (0..rows * cols / 32).flat_map(block).collect(),
        }
    };
    for blocks in [false, true] {
        for mut executor in executors() {
            let name = executor.description();
            for (at, w) in plan.graph().weights.iter().enumerate() {
                let plain = || weight(w.shape[0], w.shape[1], at as u64);
                let tensor = if blocks { quantised(w, 1000 * at as u64) } else { plain() };
                executor.load(&w.name, tensor).unwrap();
            }
            let inputs = [("x", Input::Matrix(&x[..]))];
            let mut results = [None, Some(Trace::with_values())].map(|mut trace| {
                executor.run(&plan, &Live::default(), &inputs, trace.as_mut()).unwrap();
                pollster::block_on(executor.read(0)).unwrap()
            });
            let [in_strips, whole] = results.each_mut().map(std::mem::take);
            assert!(in_strips == whole, "{name}, blocks: {blocks}");
        }
    }
}
