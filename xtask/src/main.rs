//! `cargo xtask start · build · test · bench · train · fixtures`: what a person types, in one place.
//!
//! Depends on nothing, so that it is there in a second on a machine that has built nothing yet.

mod bench;
mod build;
mod engine;
mod fixtures;
mod serve;
mod steps;
mod test;
mod train;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  start [--port N]   build what is missing and serve the page on 127.0.0.1
  build              build the package (pkg/dist) and the page (www/dist)
  test [--smoke]     everything that must hold: formatting, lints, tests, the page in a real browser; with --smoke the
                     package in an app of Next too, which takes minutes more
  bench [OPTIONS]    Loupe beside its rivals in one browser; benches/README.md has the options
  train [ARGS]       train the built-in model from nothing
  fixtures [ARGS]    tiny models of every family by their originals; --check: of a fresh seed, and test against them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let done = match arguments.first().map(String::as_str) {
        Some("start") => start(rest),
        Some("build") => build::everything(),
        Some("test") => test(rest),
        Some("bench") => bench::beside_rivals(rest),
        Some("train") => train::from_nothing(rest),
        Some("fixtures") => fixtures::families(rest),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn test(arguments: &[String]) -> steps::Done {
    match arguments {
        [] => test::everything(false),
        [flag] if flag == "--smoke" => test::everything(true),
        _ => Err(format!("test takes --smoke and nothing else\n\n{USAGE}")),
    }
}

fn start(arguments: &[String]) -> steps::Done {
    let port = match arguments {
        [] => 8080,
        [flag, port] if flag == "--port" => port.parse().map_err(|_| format!("{port} is no port number"))?,
        _ => return Err(format!("start takes --port N and nothing else\n\n{USAGE}")),
    };
    build::everything()?;
    let server = serve::Server::bind(steps::root().join("www/dist"), port)?;
    println!("\n  Loupe is at {}  (Ctrl-C ends it)\n", server.address());
    server.run()
}
