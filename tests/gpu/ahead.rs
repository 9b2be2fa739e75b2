//! Steps that are begun before the ones before have answered.

use loupe::{
    exec::{
        Ahead, Executor, Found, Gpu, Input,
        gpu::{Native, Wish},
    },
    gguf::{GgmlType, Tensor},
    graph::{Builder, CacheId, Live, Mask, Plan},
};

use crate::{WISHES, native, noise};

/// More tokens than one group of threads looks through.
const VOCABULARY: usize = 5000;
const WIDTH: usize = 32;

/// A decoder of one layer of attention: logits, and the likeliest token.
fn plans() -> [Plan; 2] {
    [false, true].map(|ranked| {
        let mut g = Builder::default();
        let [table, out] = ["table", "out"].map(|name| g.weight(name, [VOCABULARY, WIDTH]));
        let x = g.embed(table);
        let (k, v) = (g.store(x, CacheId(0)), g.store(x, CacheId(1)));
        let y = g.attend([x, k, v], 2, 2, Mask::Causal);
        let y = g.linear(y, out, None, None);
        let y = if ranked { g.top_k(y, 1) } else { y };
        Plan::new(g.finish(vec![y]).unwrap())
    })
}

fn decoder(native: Native, wish: Wish, spoil: impl Fn(&mut [f32])) -> Gpu {
    let mut gpu = Gpu::on(native, wish);
    for (seed, name) in ["table", "out"].into_iter().enumerate() {
        let mut numbers = noise(seed as u64 + 1, VOCABULARY * WIDTH);
        spoil(&mut numbers);
        let data = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        gpu.load(name, Tensor { shape: vec![VOCABULARY, WIDTH], ggml_type: GgmlType::F32, data }).unwrap();
    }
    gpu
}

fn live(position: usize) -> Live {
    Live { tokens: 1, pictures: 0, position }
}

/// The answer to token 7 by its logits, one step after the other.
fn by_logits(gpu: &mut Gpu, plan: &Plan, steps: usize) -> Vec<(u32, f32)> {
    let mut id = 7;
    (0..steps)
        .map(|position| {
            gpu.run(plan, &live(position), &[("ids", Input::Index(&[id]))], None).unwrap();
            let logits = pollster::block_on(gpu.read(0)).unwrap();
            id = (0..VOCABULARY).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a))).unwrap() as u32;
            (id, logits[id as usize])
        })
        .collect()
}

fn begin(gpu: &mut Gpu, plan: &Plan, first: usize, id: u32, steps: usize) {
    for step in 0..steps {
        let ids = [id];
        let input = if step == 0 { Input::Index(&ids) } else { Input::Found };
        gpu.begin(plan, &live(first + step), &[("ids", input)]).unwrap();
    }
}

fn next(gpu: &mut Gpu) -> (u32, f32) {
    let Found { id, value } = pollster::block_on(gpu.next()).unwrap();
    (id, value)
}

#[test]
fn tokens_are_found_without_being_told() {
    for wish in WISHES {
        let Some(native) = native() else { return };
        let mut gpu = decoder(native, wish, |_| ());
        let [decode, likeliest] = plans();
        let want = by_logits(&mut gpu, &decode, 9);
        begin(&mut gpu, &likeliest, 0, 7, 4);
        assert_eq!(gpu.begun(), 4);
        let mut got = vec![next(&mut gpu), next(&mut gpu)];
        // Two are given up and begun again from what is known; their rows of the cache are written a second time.
        gpu.give_up();
        begin(&mut gpu, &likeliest, 2, got[1].0, 7);
        got.extend((0..7).map(|_| next(&mut gpu)));
        assert_eq!(got, want, "{}", gpu.description());
        assert!(pollster::block_on(gpu.next()).is_err(), "none is left");
        // Another run gives up what was begun.
        begin(&mut gpu, &likeliest, 0, 7, 2);
        assert_eq!(by_logits(&mut gpu, &decode, 2), want[..2]);
        assert_eq!(gpu.begun(), 0);
    }
}

#[test]
fn what_is_no_number_is_not_passed_over() {
    let Some(native) = native() else { return };
    let mut gpu = decoder(native, Wish::default(), |numbers| numbers[4321 * WIDTH] = f32::NAN);
    begin(&mut gpu, &plans()[1], 0, 7, 1);
    let (_, value) = next(&mut gpu);
    assert!(value.is_nan(), "{value}");
}
