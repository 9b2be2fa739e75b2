//! A GPU of the browser, through the hand-written `www/lib/gpu.ts`.

use std::rc::Rc;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::{
    device::{About, Device, Fault, Part, Reading, Step, prologue},
    variant::Features,
};
use crate::error::Result;

#[wasm_bindgen]
extern "C" {
    /// The class `Gpu` of `www/lib/gpu.ts`: an open device, whose things have numbers.
    pub type Shim;
    #[wasm_bindgen(method, getter)]
    fn adapter(this: &Shim) -> String;
    #[wasm_bindgen(method, getter)]
    fn binding(this: &Shim) -> f64;
    #[wasm_bindgen(method, getter)]
    fn largest(this: &Shim) -> f64;
    #[wasm_bindgen(method, getter)]
    fn f16(this: &Shim) -> bool;
    #[wasm_bindgen(method, getter)]
    fn subgroups(this: &Shim) -> Vec<u32>;
    #[wasm_bindgen(method, getter)]
    fn dot4(this: &Shim) -> bool;
    #[wasm_bindgen(method)]
    fn fault(this: &Shim) -> Option<String>;
    #[wasm_bindgen(method)]
    fn buffer(this: &Shim, bytes: f64, uniform: bool) -> u32;
    #[wasm_bindgen(method)]
    fn write(this: &Shim, buffer: u32, at: f64, bytes: &[u8]);
    #[wasm_bindgen(method)]
    fn pipeline(this: &Shim, label: &str, code: &str, names: &str, values: &[f64]) -> u32;
    #[wasm_bindgen(method)]
    fn bind(this: &Shim, pipeline: u32, parts: &[f64]) -> u32;
    #[wasm_bindgen(method)]
    fn submit(this: &Shim, steps: &[u32]);
    #[wasm_bindgen(method, js_name = submitAndRead)]
    fn submit_and_read(this: &Shim, steps: &[u32], buffer: u32, start: f64, bytes: f64) -> Promise;
    #[wasm_bindgen(method)]
    async fn ready(this: &Shim);
    #[wasm_bindgen(method, js_name = giveUp)]
    fn give_up(this: &Shim, number: u32);
    #[wasm_bindgen(method)]
    fn close(this: &Shim);
}

/// A device, which is given up, with all memory of it, when this is dropped.
pub struct Browser {
    shim: Rc<Shim>,
    about: About,
}

/// A buffer, a kernel or a binding, given up when this is dropped.
pub struct Thing {
    shim: Rc<Shim>,
    number: u32,
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.shim.give_up(self.number);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.shim.close();
    }
}

impl Browser {
    /// On a device that JavaScript has opened.
    pub fn new(shim: Shim) -> Self {
        let subgroups = match shim.subgroups()[..] {
            [least, most] => Some((least, most)),
            _ => None,
        };
        let about = About {
            adapter: shim.adapter(),
            driver: "WebGPU".into(),
            binding: shim.binding() as u64,
            buffer: shim.largest() as u64,
            features: Features { f16: shim.f16(), subgroups, dot4: shim.dot4() },
        };
        Self { shim: Rc::new(shim), about }
    }

    fn thing(&self, number: u32) -> Thing {
        Thing { shim: Rc::clone(&self.shim), number }
    }
}

impl Device for Browser {
    type Buffer = Thing;
    type Pipeline = Thing;
    type Bind = Thing;

    fn about(&self) -> &About {
        &self.about
    }

    fn buffer(&self, bytes: u64) -> Thing {
        self.thing(self.shim.buffer(bytes as f64, false))
    }

    fn uniforms(&self, bytes: u64) -> Thing {
        self.thing(self.shim.buffer(bytes as f64, true))
    }

    fn write(&self, buffer: &Thing, at: u64, bytes: &[u8]) {
        self.shim.write(buffer.number, at as f64, bytes);
    }

    fn pipeline(&self, label: &str, wgsl: &str, constants: &[(&str, f64)]) -> Thing {
        let (names, values): (Vec<&str>, Vec<f64>) = constants.iter().copied().unzip();
        let code = format!("{}{wgsl}", prologue(wgsl));
        self.thing(self.shim.pipeline(label, &code, &names.join(" "), &values))
    }

    fn bind(&self, pipeline: &Thing, parts: &[(u32, Part<Thing>)]) -> Thing {
        let number = |(binding, part): &(u32, Part<Thing>)| {
            [f64::from(*binding), f64::from(part.buffer.number), part.start as f64, part.len as f64]
        };
        let parts: Vec<f64> = parts.iter().flat_map(number).collect();
        self.thing(self.shim.bind(pipeline.number, &parts))
    }

    fn submit(&self, steps: &[Step<Self>]) {
        self.shim.submit(&list(steps));
    }

    fn submit_and_read(&self, steps: &[Step<Self>], part: Part<'_, Thing>) -> Reading {
        let Part { buffer, start, len } = part;
        let bytes = self.shim.submit_and_read(&list(steps), buffer.number, start as f64, len as f64);
        let shim = Rc::clone(&self.shim);
        Box::pin(async move {
            let read = JsFuture::from(bytes).await;
            // Faults are told in order: what these bytes come from was refused before they were read.
            match (fault(&shim), read) {
                (Some(fault), _) => Err(fault.error()),
                (None, Err(why)) => Err(Fault::Lost(format!("{why:?}")).error()),
                (None, Ok(bytes)) => Ok(Uint8Array::from(bytes).to_vec()),
            }
        })
    }

    fn read_now(&self, _: Part<'_, Thing>) -> Option<Result<Vec<u8>>> {
        None
    }

    async fn ready(&self) -> Result<()> {
        self.shim.ready().await;
        self.fault().map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn fault(&self) -> Option<Fault> {
        fault(&self.shim)
    }
}

fn fault(shim: &Shim) -> Option<Fault> {
    let told = shim.fault()?;
    let (kind, why) = told.split_once(' ').unwrap_or(("refused", &told));
    Some(match kind {
        "memory" => Fault::Memory(why.into()),
        "lost" => Fault::Lost(why.into()),
        _ => Fault::Refused(why.into()),
    })
}

/// Steps as `www/lib/gpu.ts` reads them.
fn list(steps: &[Step<Browser>]) -> Vec<u32> {
    let mut list = Vec::with_capacity(6 * steps.len());
    for step in steps {
        match step {
            Step::Dispatch { pipeline, bind, groups: [x, y, z] } => {
                list.extend([0, pipeline.number, bind.number, *x, *y, *z]);
            }
            Step::Copy { source, target, bytes } => list.extend([1, source.number, target.number, *bytes as u32]),
            Step::Clear(buffer) => list.extend([2, buffer.number]),
        }
    }
    list
}
