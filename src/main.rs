//! The command line.

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
    /// Draw scenes with questions, for training and examination.
    #[cfg(feature = "probe")]
    Scenes(loupe::probe::cli::Args),
}

fn main() -> ExitCode {
    let result: loupe::error::Result<()> = match Loupe::parse().command {
        #[cfg(feature = "probe")]
        Command::Scenes(args) => loupe::probe::cli::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loupe: {error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}
