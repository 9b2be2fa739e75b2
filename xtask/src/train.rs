//! The road from nothing to the built-in model.

use std::process::Command;

use crate::steps::{Done, run};

/// Trains, exports and examines the built-in model; `arguments` go to the road's own program, which knows its steps.
pub fn from_nothing(arguments: &[String]) -> Done {
    run(Command::new("python3").arg("training/road.py").args(arguments))
}
