//! What a model will take in memory, from its two headers alone: told before its weights are fetched.

use std::collections::BTreeMap;

use super::{answer::CHUNK, open::Network};
use crate::{
    error::Result,
    gguf::Header,
    graph::{Graph, Live, Op, Plan, Value},
    image::Size,
    model,
    protocol::Needs,
};

/// Caches grow with the conversation; this much of one is reckoned with, or as much as the model can hold.
const CONVERSATION: usize = 4096;
/// Bytes of a number in a cache.
const CACHED: usize = 2;
/// Pictures of these sizes are cut in all ways that there are; the largest view of any is reckoned with.
const PICTURES: [[u32; 2]; 4] = [[4096, 4096], [6000, 2000], [2000, 6000], [200, 200]];

/// Adds up weights, what is kept from step to step, and the arena of the largest step.
///
/// # Errors
/// A model error when the headers do not say how pictures are cut.
pub fn needs(text: &Header, vision: &Header, network: &Network) -> Result<Needs> {
    let config = &network.config;
    let tensors = [text, vision].into_iter().flat_map(|h| &h.tensors);
    let context = config.text.context.min(CONVERSATION);
    let slicing = &network.slicing;
    let grid = |view: Size| config.vision.grid(view.width, view.height);
    let (mut largest, mut rows) = ([config.merged(); 2], 0);
    for [width, height] in PICTURES {
        let layout = slicing.layout(width, height)?;
        let views = [Some(layout.overview), layout.grid.map(|grid| grid.slice)].into_iter().flatten().map(grid);
        let most = views.max_by_key(|[rows, columns]| rows * columns).unwrap_or(largest);
        rows = rows.max(layout.views() as usize * config.view_rows(most));
        largest = std::cmp::max_by_key(largest, most, |[rows, columns]| rows * columns);
    }
    let arena = |graph: &Graph, tokens| Plan::new(graph.clone()).arena_bytes(&Live { tokens, ..Live::default() });
    let view = model::view(config, largest)?;
    let steps = [arena(&network.prefill, CHUNK), arena(&network.decode, 1), arena(&view, 1)];
    let rows = rows * config.text.layer.width * size_of::<f32>();
    Ok(Needs {
        weights: tensors.map(|t| t.bytes as u64).sum(),
        cache: kept(&network.decode, context) as u64,
        working: (steps.into_iter().max().unwrap_or(0) + rows) as u64,
        context: context as u32,
    })
}

/// Bytes that a graph keeps from call to call: the caches of `context` positions, and what recurrent layers remember.
fn kept(graph: &Graph, context: usize) -> usize {
    let cols = |value: Value| graph.nodes[value.index()].cols;
    let (mut caches, mut states) = (BTreeMap::new(), BTreeMap::new());
    for node in &graph.nodes {
        match node.op {
            Op::Store { cache, .. } => _ = caches.insert(cache.0, node.cols * context),
            Op::Convolve { weight, state, .. } => {
                states.insert(state.0, node.cols * (graph.weights[weight.index()].shape[1] - 1));
            }
            Op::Delta { k, v, key_heads, state, .. } => _ = states.insert(state.0, cols(k) / key_heads * cols(v)),
            _ => {}
        }
    }
    caches.into_values().sum::<usize>() * CACHED + states.into_values().sum::<usize>() * size_of::<f32>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::Path};

    use crate::{exec::AnyExecutor, session::Opening};

    fn file(path: &str) -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    /// What the headers promise is what the weights are and what the graphs take, and headers are all it takes.
    #[test]
    fn headers_tell_what_a_model_takes() {
        let files = [file("models/loupe-base-q8_0.gguf"), file("models/mmproj-loupe-base-q8_0.gguf")];
        let mut opening = Opening::default();
        let mut needs = None;
        for (at, bytes) in files.iter().enumerate() {
            assert_eq!(needs, None);
            for chunk in bytes.chunks(4096) {
                if !opening.knows(at) {
                    opening.push(at, chunk).unwrap();
                }
            }
            needs = opening.needs().unwrap();
        }
        let needs = needs.unwrap();
        let bytes: usize = files.iter().map(Vec::len).sum();
        assert!(needs.weights < bytes as u64 && needs.weights > bytes as u64 * 9 / 10, "{needs:?}");
        assert_eq!(needs.context, 1024);

        let mut opening = Opening::default();
        for (at, bytes) in files.iter().enumerate() {
            opening.push(at, bytes).unwrap();
        }
        let session = opening.finish(AnyExecutor::default()).unwrap();
        let config = &session.model.config;
        // Two halves a layer, of two bytes a number.
        let layer = &config.text.layer;
        let columns = 2 * config.text.mixers.len() * layer.kv_heads * layer.head_dim;
        assert_eq!(needs.cache, (columns * 1024 * 2) as u64);
        // The logits alone take so much.
        assert!(needs.working > 4 * config.text.vocabulary as u64, "{needs:?}");
    }
}
