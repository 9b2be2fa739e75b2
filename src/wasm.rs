//! The browser's face: bytes and requests in, events out. It only converts.

mod forms;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::{
    error::{Error, Result},
    exec::{
        AnyExecutor, Gpu,
        cpu::{bench::Bench, isa::Isa, pool},
        gpu::{Browser, Shim, Wish},
    },
    protocol::{Event, Request},
    session::{Opening, Session, Source},
    source::{HubId, Manifest},
};

/// Bytes of a file that are handed over at a time.
const PIECE: usize = 64 << 10;

/// A session in a worker: `push` both files, `handle` a load request, then `step` until it resolves to nothing.
#[wasm_bindgen]
#[derive(Default)]
pub struct Engine {
    opening: Opening,
    /// Why the files that are coming cannot be used; told when they are to be opened.
    damage: Option<Error>,
    session: Option<Session>,
    /// Events that no step caused.
    events: Vec<Event>,
    threads: usize,
    /// What the next model is opened on, in place of the processor.
    gpu: Option<Box<Gpu>>,
    /// Whether the files that have come are to be opened.
    loading: bool,
}

#[wasm_bindgen]
impl Engine {
    /// An engine without a model. It runs on `threads` threads, all but one of which have [arrived](arrive).
    #[wasm_bindgen(constructor)]
    pub fn new(threads: usize) -> Self {
        console_error_panic_hook::set_once();
        Self { threads, ..Self::default() }
    }

    /// Takes a GPU to open the next model on, once it has shown that it computes as it should with what `masks` (words of
    /// [`Wish::of`]) leave of its features; resolves to the kernels that run there and a reason for each feature that is
    /// used or not, and throws one sentence where it did not.
    #[wasm_bindgen(js_name = useGpu)]
    pub async fn use_gpu(&mut self, gpu: Shim, masks: Vec<String>) -> std::result::Result<Vec<String>, JsValue> {
        let thrown = |e: Error| JsValue::from(e.to_string());
        let wish = Wish::of(masks.iter().map(String::as_str)).map_err(thrown)?;
        let gpu = Gpu::checked(Browser::new(gpu), wish).await.map_err(thrown)?;
        let told = std::iter::once(gpu.kernels()).chain(gpu.why().iter().cloned()).collect();
        self.gpu = Some(Box::new(gpu));
        Ok(told)
    }

    /// Takes the next bytes of file 0 or 1: the language model and the vision encoder, in either order. False when no
    /// more are wanted, because the files cannot be used; a load request tells why.
    pub fn push(&mut self, file: usize, bytes: &Uint8Array) -> bool {
        // In pieces: what is copied here takes room of a memory that never shrinks.
        let mut piece = vec![0; PIECE.min(bytes.length() as usize)];
        for at in (0..bytes.length()).step_by(PIECE) {
            let part = bytes.subarray(at, bytes.length().min(at + PIECE as u32));
            let piece = &mut piece[..part.length() as usize];
            part.copy_to(piece);
            if self.damage.is_none() {
                self.damage = self.opening.push(file, piece).err();
            }
        }
        self.damage.is_none()
    }

    /// Whether the header of file 0 or 1 has come.
    pub fn knows(&self, file: usize) -> bool {
        self.opening.knows(file)
    }

    /// What the model will take in memory (JSON of the protocol's `Needs`), once both headers have come and it is one
    /// that can be opened.
    pub fn needs(&mut self) -> Option<String> {
        let needs = self.opening.needs();
        if self.damage.is_none() {
            self.damage = needs.as_ref().err().map(|e| Error::of_kind(e.kind(), e.to_string()));
        }
        serde_json::to_string(&needs.ok()??).ok()
    }

    /// SHA-256 of what has come of file 0 or 1, 64 hex digits.
    pub fn sha256(&self, file: usize) -> Option<String> {
        Some(self.opening.sha256(file)?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Forgets what has come: other files will.
    #[wasm_bindgen(js_name = startOver)]
    pub fn start_over(&mut self) {
        (self.opening, self.damage) = Default::default();
    }

    /// The bytes of all tokens, one token after the other: what grammars need to know of the model that is open.
    #[wasm_bindgen(js_name = tokenBytes)]
    pub fn token_bytes(&self) -> Vec<u8> {
        self.session.as_ref().map(|session| session.tokenizer().all_bytes().concat()).unwrap_or_default()
    }

    /// How many bytes each token has.
    #[wasm_bindgen(js_name = tokenLengths)]
    pub fn token_lengths(&self) -> Vec<u32> {
        let bytes = self.session.as_ref().map(|session| session.tokenizer().all_bytes());
        bytes.unwrap_or_default().iter().map(|token| token.len() as u32).collect()
    }

    /// The tokens that end answers.
    pub fn ends(&self) -> Vec<u32> {
        self.session.as_ref().map(|session| session.tokenizer().ends()).unwrap_or_default()
    }

    /// Takes the grammars for the model that is open.
    #[wasm_bindgen(js_name = holdTo)]
    pub fn hold_to(&mut self, forms: forms::Forms) {
        if let Some(session) = &mut self.session {
            session.hold_to(Box::new(forms));
        }
    }

    /// A picture that was looked at, as bytes that `seeAgain` takes.
    pub fn remembered(&self, picture: u32) -> Option<Vec<u8>> {
        self.session.as_ref()?.remembered(picture)
    }

    /// Takes a picture that was looked at before in the place of looking at it; false when the bytes are damaged, or another
    /// model's.
    #[wasm_bindgen(js_name = seeAgain)]
    pub fn see_again(&mut self, picture: u32, bytes: &[u8]) -> bool {
        self.session.as_mut().is_some_and(|session| session.see_again(picture, bytes).is_ok())
    }

    /// Takes a request (JSON of the protocol's `Request`) with the bytes that come beside it.
    pub fn handle(&mut self, request: &str, bytes: Option<Uint8Array>) {
        let bytes = bytes.map(|bytes| bytes.to_vec()).unwrap_or_default();
        if let Err(error) = self.take(request, bytes) {
            self.fail(&error);
        }
    }

    /// Does one bounded piece of work and resolves to the events it caused (JSON of an array of the protocol's `Event`),
    /// or to nothing when there is nothing to do.
    pub async fn step(&mut self) -> Option<String> {
        if std::mem::take(&mut self.loading)
            && let Err(error) = self.load().await
        {
            self.fail(&error);
        }
        let events = match std::mem::take(&mut self.events) {
            events if events.is_empty() => self.session.as_mut()?.step().await?,
            events => events,
        };
        serde_json::to_string(&events).ok()
    }
}

/// Where a hub says what a repository holds; nothing where `id` is no `owner/repo[:quant]`.
#[wasm_bindgen(js_name = hubListing)]
pub fn hub_listing(id: &str, hub: &str) -> Option<String> {
    Some(HubId::parse(id)?.listing(hub))
}

/// The files that `id` means among those listed (JSON of the protocol's `Manifest`); throws JSON of a kind and a message.
#[wasm_bindgen(js_name = hubChoose)]
pub fn hub_choose(id: &str, listing: &str, hub: &str) -> std::result::Result<String, JsValue> {
    let id =
        HubId::parse(id).ok_or_else(|| Error::usage(format!("`{id}` is no name on a hub; give owner/repo[:quant].")));
    thrown(id.and_then(|id| id.choose(listing, hub)))
}

/// The manifest found at `base`, with whole addresses (JSON of the protocol's `Manifest`); throws JSON of a kind and a
/// message.
#[wasm_bindgen(js_name = readManifest)]
pub fn read_manifest(json: &str, base: &str) -> std::result::Result<String, JsValue> {
    thrown(Manifest::read(json, base))
}

fn thrown(manifest: Result<Manifest>) -> std::result::Result<String, JsValue> {
    let json = |value: &serde_json::Value| value.to_string();
    match manifest {
        Ok(manifest) => Ok(json(&serde_json::json!(manifest))),
        Err(e) => Err(json(&serde_json::json!({ "kind": e.kind(), "message": e.to_string() })).into()),
    }
}

/// The compiled module, for workers to make instances of that share the engine's memory.
#[wasm_bindgen]
pub fn module() -> JsValue {
    wasm_bindgen::module()
}

/// A worker that shares the engine's memory reports to it; its number, or nothing when the engine goes on without it.
#[wasm_bindgen]
pub fn arrive() -> Option<usize> {
    pool::arrive()
}

/// Does jobs of the engine for the rest of the worker's life.
#[wasm_bindgen]
pub fn help(thread: usize) {
    pool::help(thread);
}

/// Tells the engine that a worker died in the middle of a job, so that it dies too and does not wait for ever.
#[wasm_bindgen]
pub fn mourn() {
    pool::mourn();
}

impl Engine {
    fn take(&mut self, request: &str, bytes: Vec<u8>) -> Result<()> {
        let request = serde_json::from_str(request)
            .map_err(|e| Error::usage(format!("The request could not be read: {e}.")).because(e))?;
        if matches!(request, Request::Load {}) {
            self.loading = true;
            return Ok(());
        }
        if matches!(request, Request::Unload {}) {
            (self.session, self.gpu) = (None, None);
            return Ok(());
        }
        let session = self.session.as_mut().ok_or_else(|| Error::usage("No model is loaded; load one first."))?;
        match request {
            Request::See { picture, max_slices } => session.see_cut(picture, Source::Encoded(bytes), max_slices),
            Request::SeePixels { picture, width, height, max_slices } => {
                session.see_cut(picture, Source::Rgba { width, height, pixels: bytes }, max_slices);
            }
            Request::Ask { id, question, options, history: None } => session.ask(id, question, options),
            Request::Ask { id, question, options, history: Some(history) } => {
                session.ask_after(history, id, question, options);
            }
            Request::Stop { id } => self.events.extend(session.stop(id)),
            Request::Forget { pictures } => session.forget(pictures),
            Request::Load {} | Request::Unload {} => {}
        }
        Ok(())
    }

    /// Opens the files that have come, for a new session or for one that stalled.
    async fn load(&mut self) -> Result<()> {
        // Another model takes the place of this one; the room it leaves is the other's.
        self.session.take_if(|session| !session.is_stalled());
        let opening = std::mem::take(&mut self.opening);
        if let Some(damage) = self.damage.take() {
            return Err(damage);
        }
        let gpu = self.gpu.take();
        let on_gpu = gpu.is_some();
        let executor = gpu.map_or_else(|| AnyExecutor::cpu(self.threads), AnyExecutor::Gpu);
        let opened = async {
            let session = opening.finish(executor)?;
            session.ready().await.map(|()| session)
        };
        let mut fresh = match opened.await {
            Ok(session) => session,
            // The files may be wrong as well: then the processor says so.
            Err(error) if on_gpu => {
                self.events.push(Event::Stalled { kind: error.kind(), message: error.to_string() });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        fresh.expect_faults();
        self.events.push(Event::Ready { model: fresh.info().clone() });
        match &mut self.session {
            Some(session) => session.go_on(fresh),
            None => self.session = Some(fresh),
        }
        Ok(())
    }

    fn fail(&mut self, error: &Error) {
        self.events.push(Event::Failed { id: None, picture: None, kind: error.kind(), message: error.to_string() });
    }
}

/// Measures a layer's kernel on one thread (JSON of [`Layer`](crate::exec::cpu::bench::Layer) in, of
/// [`Speed`](crate::exec::cpu::bench::Speed) out), for the benchmark.
#[wasm_bindgen]
pub fn measure(layer: &str) -> std::result::Result<String, JsError> {
    Ok(serde_json::to_string(&Bench::new(Isa::detect(), 1).layer(serde_json::from_str(layer)?)?)?)
}
