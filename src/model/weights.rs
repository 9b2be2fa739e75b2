//! Checks what the graphs ask for against what the files hold, before the weights are used.

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
