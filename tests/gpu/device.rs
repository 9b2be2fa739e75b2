//! What happens when a GPU has too little memory, or goes away.

use loupe::{
    ErrorKind,
    exec::{Executor, Gpu, Input},
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
    let mut gpu = Gpu::on(native.limited(1 << 16));
    let plan = cached(64);
    let x = noise(1, 64 * 64);
    let mut position = 0;
    // A cache of 256 rows of 64 numbers is 64 KiB; the next row is too much, and what is there still stands.
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
    assert_eq!(got[..255 * 64], x.repeat(4)[..255 * 64]);
    assert_eq!(got[255 * 64..], x[..64]);
}

#[test]
fn a_lost_device_is_told_and_not_waited_for() {
    let Some(native) = native() else { return };
    let mut gpu = Gpu::on(native);
    let (plan, x) = (cached(4), noise(1, 4));
    let live = Live { tokens: 1, ..Live::default() };
    gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None).unwrap();
    gpu.device().destroy();
    let run = gpu.run(&plan, &live, &[("x", Input::Matrix(&x))], None);
    let error = run.and_then(|()| pollster::block_on(gpu.read(0)).map(|_| ())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gpu, "{error}");
    assert!(error.to_string().contains("GPU was lost"), "{error}");
}
