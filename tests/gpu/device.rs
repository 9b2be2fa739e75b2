//! What happens when a GPU has too little memory, or goes away.

use loupe::{
    ErrorKind,
    exec::{Executor, Gpu, Input, gpu::Wish},
    gguf::{GgmlType, Tensor},
    graph::{Builder, CacheId, Live, Plan, Rows},
};

use crate::{native, noise};

fn cached(cols: usize) -> Plan {
    let mut g = Builder::default();
    let x = g.input("x", Rows::Tokens, cols);
    let y = g.store(x, CacheId(0));
    Plan::new(g.finish(vec![y]).unwrap())
}

#[test]
fn a_value_that_no_binding_reaches_is_a_matter_of_memory() {
    let Some(native) = native() else { return };
    let mut gpu = Gpu::on(native.limited(1 << 15), Wish::default());
    let plan = cached(64);
    let x = noise(1, 64 * 64);
    let mut position = 0;
    // A cache of 256 rows of 64 halves is 32 KiB; the next row is too much, and what is there still stands.
    for rows in [64, 64, 64, 64] {
        let live = Live { tokens: rows, pictures: 0, position };
        gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None).unwrap();
        position += rows;
    }
    let live = Live { tokens: 1, pictures: 0, position };
    let error = gpu.run(&plan, &live, &[("x", Input::Matrix(&x[..64]))], None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory, "{error}");
    let live = Live { tokens: 1, pictures: 0, position: 255 };
    gpu.run(&plan, &live, &[("x", Input::Matrix(&x[..64]))], None).unwrap();
    let got = pollster::block_on(gpu.read(0)).unwrap();
    let halves: Vec<f32> = x.iter().map(|x| half::f16::from_f32(*x).to_f32()).collect();
    assert_eq!(got[..255 * 64], halves.repeat(4)[..255 * 64]);
    assert_eq!(got[255 * 64..], halves[..64]);
}

#[test]
fn a_lost_device_is_told_and_not_waited_for() {
    let Some(native) = native() else { return };
    let mut gpu = Gpu::on(native, Wish::default());
    let (plan, x) = (cached(4), noise(1, 4));
    let live = Live { tokens: 1, ..Live::default() };
    gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None).unwrap();
    gpu.device().destroy();
    let run = gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None);
    let error = run.and_then(|()| pollster::block_on(gpu.read(0)).map(|_| ())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gpu, "{error}");
    assert!(error.to_string().contains("GPU was lost"), "{error}");
}

#[test]
fn what_was_loaded_is_given_back() {
    let Some(mut native) = native() else { return };
    let Some(before) = native.allocated() else { return };
    const MEGABYTE: usize = 1 << 20;
    for _ in 0..4 {
        let mut gpu = Gpu::on(native, Wish::default());
        let tensor = Tensor { shape: vec![1024, 4096], ggml_type: GgmlType::F32, data: vec![0; 16 * MEGABYTE] };
        gpu.load("w", tensor).unwrap();
        let (plan, x) = (cached(64), noise(1, 4096 * 64));
        let live = Live { tokens: 4096, ..Live::default() };
        gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None).unwrap();
        gpu.keep(0).unwrap();
        assert_eq!(pollster::block_on(gpu.read(0)).unwrap().len(), x.len());
        let held = gpu.device().allocated().unwrap() - before;
        // The weights, the values, and the cache of halves.
        assert!(held > 17 * MEGABYTE as u64, "{held} bytes are held");
        native = gpu.into_device();
        let left = native.allocated().unwrap().saturating_sub(before);
        assert!(left < MEGABYTE as u64 / 4, "{left} bytes are not given back");
    }
}
