//! The command line: `loupe ask picture.png "How many circles are there?"`.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Asks a small vision-language model about a picture, on this machine.
#[derive(Parser)]
#[command(version, about)]
struct Loupe {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer a question about one or more pictures; the answer, and only the answer, is printed.
    Ask(cli::ask::Args),
    /// Draw how a picture is sliced into a PNG, and print it.
    Slices(cli::slices::Args),
    /// Write a model file anew with smaller weights.
    #[cfg(feature = "reference")]
    Quantize(cli::quantize::Args),
    /// Draw scenes with questions, for training and examination.
    #[cfg(feature = "probe")]
    Scenes(loupe::probe::cli::Args),
    /// Examine a model on held-out scenes, beside what it gets without the right picture.
    #[cfg(feature = "probe")]
    Exam(cli::exam::Args),
}

fn main() -> ExitCode {
    // clap ends the program with code 2 for bad usage by itself.
    let result = match Loupe::parse().command {
        Command::Ask(args) => cli::ask::run(&args),
        Command::Slices(args) => cli::slices::run(&args),
        #[cfg(feature = "reference")]
        Command::Quantize(args) => cli::quantize::run(&args),
        #[cfg(feature = "probe")]
        Command::Scenes(args) => loupe::probe::cli::run(&args),
        #[cfg(feature = "probe")]
        Command::Exam(args) => cli::exam::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loupe: {error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}
