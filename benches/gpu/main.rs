//! How fast this machine's GPU runs Loupe, beside what it can do at most. `cargo xtask bench --gpu` calls it.

mod ceilings;
mod layers;
mod report;
mod whole;

use std::{env, error::Error};

use loupe::exec::gpu::{Device, Gpu, Native, Wish};

use report::Report;

/// What came out of a measurement, or why nothing did.
pub type Done<T = ()> = Result<T, Box<dyn Error>>;

/// The variants that are measured: all that the GPU can do, and what every GPU can.
const WISHES: [Wish; 2] = [Wish { f16: None, subgroups: None }, Wish::PLAIN];

fn main() -> Done {
    let native = pollster::block_on(Native::open())?;
    let mut report = Report::begin(native.about(), said("--out"), said("--commit"))?;
    let ceilings = ceilings::measure(&native, &mut report)?;
    let mut seen = vec![];
    for wish in WISHES {
        let mut gpu = Gpu::on(pollster::block_on(Native::open())?, wish);
        let kernels = gpu.kernels();
        if seen.contains(&kernels) {
            continue;
        }
        report.say(&format!("\n## Kernels {kernels}\n\n{}.\n", gpu.why().join("; ")))?;
        seen.push(kernels);
        layers::measure(&mut gpu, &ceilings, &mut report)?;
        whole::measure(wish, &ceilings, &mut report)?;
    }
    println!("The report is {}.", report.path.display());
    Ok(())
}

/// What was said after an option.
fn said(option: &str) -> Option<String> {
    env::args().skip_while(|argument| argument != option).nth(1)
}
