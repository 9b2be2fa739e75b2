//! Steps of decoding allocate only when room runs out, which each time they double.

#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs::File as Open,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use loupe::{
    exec::{Cpu, Executor, Input, cpu::pool::Pool},
    gguf::File,
    graph::{Live, Plan},
    model::{self, TextConfig},
};

/// The system's allocator, counting.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn file(name: &str) -> File {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    File::read(Open::open(folder.join(format!("{name}.gguf"))).unwrap()).unwrap()
}

// One test alone: the count is the whole program's.
#[test]
fn steps_of_decoding_allocate_only_when_room_runs_out() {
    for (name, threads) in [
        ("stages/micro-q8_0", 1),
        ("stages/micro-q8_0", 2),
        ("stages/micro-q4_0", 1),
        ("stages/micro-f16", 1),
        ("stages/micro-f32", 2),
        ("families/lfm2vl/text", 2),
        ("families/minicpmv4_6/text", 2),
    ] {
        let text = file(name);
        let config = TextConfig::read(&text.header).unwrap();
        let mut cpu = Cpu::new(Pool::new(threads));
        for (name, tensor) in text.tensors {
            cpu.load(&name, tensor).unwrap();
        }
        let plan = Plan::new(model::decode(&config).unwrap());
        let mut step = |position: usize| {
            let live = Live { tokens: 1, pictures: 0, position };
            let before = COUNT.load(Relaxed);
            cpu.run(&plan, &live, &[(model::IDS, Input::Index(&[3]))], None).unwrap();
            COUNT.load(Relaxed) - before
        };
        assert!(step(0) > 0, "the first step makes room, and is counted");
        let steps: Vec<usize> = (1..200).map(step).filter(|count| *count > 0).collect();
        // Room for scores doubles now and then, on each thread.
        assert!(steps.len() <= 5 * threads, "{name}, {threads} threads: {} of 199 steps allocated", steps.len());
    }
}
