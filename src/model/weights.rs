//! Checks what the graphs ask for against what the files hold, before the weights are used.

use std::collections::HashSet;

use crate::{
    error::{Error, Result},
    gguf::TensorInfo,
    graph::Graph,
};

/// Checks that every weight of the graph is among the tensors, in the shape it is used in.
///
/// # Errors
/// A model error naming the first weight that is missing or has another shape.
pub fn check<'a>(graph: &Graph, tensors: impl Fn(&str) -> Option<&'a TensorInfo>) -> Result<()> {
    for weight in &graph.weights {
        let Some(tensor) = tensors(&weight.name) else {
            return Err(Error::model(format!(
                "The model files lack the tensor `{}`; they are incomplete, not a pair, or of a kind Loupe does not support.",
                weight.name
            )));
        };
        if tensor.matrix() != weight.shape {
            return Err(Error::model(format!(
                "The tensor `{}` is {:?}, but the model's configuration asks for {:?}; the files are damaged or not a pair.",
                weight.name,
                tensor.matrix(),
                weight.shape
            )));
        }
    }
    Ok(())
}

/// Checks that the graph uses every weight that the file has of its first `layers` layers: one that is left over is a part
/// of the computation that this decoder would leave out, and its answers would be wrong.
///
/// # Errors
/// A model error naming the first weight that is left over.
pub fn check_leftover<'a>(graph: &Graph, layers: usize, tensors: impl Iterator<Item = &'a TensorInfo>) -> Result<()> {
    leftover(graph, tensors, "language model", |name| is_of_layers(name, "blk.", layers))
}

/// The same for a vision encoder's file, its connector included.
///
/// # Errors
/// As [`check_leftover`].
pub fn check_leftover_vision<'a>(
    graph: &Graph,
    layers: usize,
    tensors: impl Iterator<Item = &'a TensorInfo>,
) -> Result<()> {
    leftover(graph, tensors, "vision encoder", |name| {
        let connects = name.starts_with("mm.") || name.starts_with("resampler.");
        // A table of the resampler's positions, which are a formula.
        connects && name != "resampler.pos_embed_k" || is_of_layers(name, "v.blk.", layers)
    })
}

fn is_of_layers(name: &str, prefix: &str, layers: usize) -> bool {
    let layer = || name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
    layer().is_some_and(|at| at < layers)
}

fn leftover<'a>(
    graph: &Graph,
    mut tensors: impl Iterator<Item = &'a TensorInfo>,
    whose: &str,
    matters: impl Fn(&str) -> bool,
) -> Result<()> {
    let used: HashSet<&str> = graph.weights.iter().map(|w| w.name.as_str()).collect();
    tensors.find(|t| matters(&t.name) && !used.contains(t.name.as_str())).map_or(Ok(()), |tensor| {
        Err(Error::model(format!(
            "The {whose} has the tensor `{}`, which this version of Loupe would not use; it is of a kind Loupe does not support.",
            tensor.name
        )))
    })
}
