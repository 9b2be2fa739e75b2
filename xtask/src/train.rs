//! The road from nothing to the built-in model.

use std::{path::Path, process::Command};

use crate::steps::{Done, cargo, root, run, step, target};

/// Trains, exports and examines the built-in model; `arguments` go to the training program.
pub fn from_nothing(arguments: &[String]) -> Done {
    let python = root().join("training/.venv/bin/python");
    if !python.exists() {
        step("Making a Python environment in training/.venv", || {
            run(Command::new("python3").args(["-m", "venv", "training/.venv"]))
        })?;
    }
    step("Installing what the training needs", || {
        run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--requirement",
            "training/requirements.txt",
        ]))
    })?;
    step("Building the scene generator", || run(&mut cargo(&["build", "--features", "probe"])))?;
    step("Training, exporting and examining", || train(&python, arguments))
}

fn train(python: &Path, arguments: &[String]) -> Done {
    run(Command::new(python).arg("training/road.py").args(arguments).env("LOUPE_CLI", target().join("debug/loupe")))
}
