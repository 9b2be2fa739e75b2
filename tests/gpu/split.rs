//! A network that the processor and the GPU share.

use loupe::{
    ErrorKind,
    exec::{AnyExecutor, Executor, Input, Reference, Split, gpu::Wish},
    gguf::{GgmlType, Tensor},
    graph::{Builder, Live, Plan, Rows, Trace},
};

use crate::{fused, native, noise};

const WIDTH: usize = 64;

fn gpu() -> Option<AnyExecutor> {
    native().map(|native| AnyExecutor::Gpu(Box::new(loupe::exec::Gpu::on(native, Wish::PLAIN))))
}

fn tensor(seed: u64, [rows, cols]: [usize; 2], scale: f32) -> Tensor {
    let data = noise(seed, rows * cols).iter().flat_map(|x| (x * scale).to_le_bytes()).collect();
    Tensor { shape: vec![rows, cols], ggml_type: GgmlType::F32, data }
}

#[test]
fn the_node_and_all_after_it_run_on_the_second_machine() {
    const LAYERS: usize = 4;
    let mut g = Builder::default();
    let mut x = g.input("x", Rows::Tokens, WIDTH);
    for layer in 0..LAYERS {
        let w = g.weight(format!("w.{layer}"), [WIDTH; 2]);
        x = g.linear(x, w, None, None);
    }
    let plan = Plan::new(g.finish(vec![x]).unwrap());
    let (x, live) = (noise(9, 3 * WIDTH), Live { tokens: 3, ..Live::default() });
    // On the GPU each weight is twice what it is before, so that the result tells how many layers ran there.
    let run = |split: Option<&str>| -> Option<Vec<f32>> {
        let (mut before, mut after) = (AnyExecutor::Reference(Reference::default()), gpu()?);
        for layer in 0..LAYERS {
            before.load(&format!("w.{layer}"), tensor(layer as u64, [WIDTH; 2], 0.2)).unwrap();
            after.load(&format!("w.{layer}"), tensor(layer as u64, [WIDTH; 2], 0.4)).unwrap();
        }
        let mut executor = match split {
            Some(node) => AnyExecutor::Split(Box::new(Split::new(before, after, node))),
            None => before,
        };
        let mut trace = Trace::with_values();
        executor.run(&plan, &live, &[("x", Input::Matrix(&x))], Some(&mut trace)).unwrap();
        let traced: Vec<_> = trace.entries.iter().map(|entry| &entry.name).collect();
        assert_eq!(traced, plan.graph().nodes.iter().map(|node| &node.name).collect::<Vec<_>>());
        let y = pollster::block_on(executor.read(0)).unwrap();
        assert_eq!(trace.entries.last().unwrap().values.as_ref(), Some(&y));
        Some(y)
    };
    let Some(plain) = run(None) else { return };
    for (layer, factor) in [16.0, 8.0, 4.0, 2.0].into_iter().enumerate() {
        let Some(got) = run(Some(&format!("w.{layer}"))) else { return };
        let largest = plain.iter().fold(0f32, |most, x| most.max(x.abs()));
        for (got, plain) in got.iter().zip(&plain) {
            assert!((got / factor - plain).abs() <= 1e-5 * largest, "from layer {layer}: {got}, of {plain}");
        }
    }
    // A plan that has no such node runs on the first machine.
    assert_eq!(run(Some("w.4")), Some(plain));
}

#[test]
fn a_decoder_cut_anywhere_computes_what_it_does_whole() {
    let plan = Plan::new(fused::layers(loupe::graph::RopeKind::Halves));
    let run = |mut executor: AnyExecutor| -> Vec<f32> {
        for (seed, weight) in plan.graph().weights.iter().enumerate() {
            executor.load(&weight.name, tensor(seed as u64, weight.shape, 0.3)).unwrap();
        }
        let (mut all, mut position) = (Vec::new(), 0);
        for tokens in [9, 1, 3] {
            let x = noise(50 + position as u64, tokens * WIDTH);
            let live = Live { tokens, pictures: 0, position };
            executor.run(&plan, &live, &[("x", Input::Matrix(&x))], None).unwrap();
            all.extend(pollster::block_on(executor.read(0)).unwrap());
            position += tokens;
        }
        all
    };
    let want = run(AnyExecutor::Reference(Reference::default()));
    let largest = want.iter().fold(0f32, |most, x| most.max(x.abs()));
    for node in &plan.graph().nodes {
        let Some(gpu) = gpu() else { return };
        let before = AnyExecutor::Reference(Reference::default());
        let got = run(AnyExecutor::Split(Box::new(Split::new(before, gpu, &node.name))));
        assert_eq!(got.len(), want.len());
        for (at, (got, want)) in got.iter().zip(&want).enumerate() {
            // Caches are halves.
            assert!((got - want).abs() <= 2e-3 * largest, "from {}, number {at}: {got}, not {want}", node.name);
        }
    }
}

#[test]
fn a_cut_that_would_part_a_cache_from_itself_is_refused() {
    let Some(gpu) = gpu() else { return };
    let plan = |named: bool| {
        let mut g = Builder::default();
        let x = g.input("x", Rows::Tokens, WIDTH);
        let x = g.scale(x, 2.0);
        if named {
            g.name(x, "here");
        }
        let x = g.store(x, loupe::graph::CacheId(0));
        Plan::new(g.finish(vec![x]).unwrap())
    };
    let before = AnyExecutor::Reference(Reference::default());
    let mut split = Split::new(before, gpu, "here");
    let (x, live) = (noise(1, WIDTH), Live { tokens: 1, ..Live::default() });
    let mut run = |plan| split.run(&plan, &live, &[("x", Input::Matrix(&x))], None);
    run(plan(false)).unwrap();
    let error = run(plan(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("cannot be cut at `here`"), "{error}");
}
