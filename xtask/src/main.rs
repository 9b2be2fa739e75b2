//! `cargo xtask start · test · build · train`: what a person types, in one place.

fn main() {
    eprintln!("usage: cargo xtask start|test|build|train");
    std::process::exit(2);
}
