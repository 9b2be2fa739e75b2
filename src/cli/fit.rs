//! Whether there is memory for a model, said before its weights are fetched or read.

use std::{env, fs};

use loupe::{
    error::{Error, ErrorKind, Result},
    session::Opening,
};

/// Refuses a model, both of whose headers have come, that needs more memory than is free.
///
/// # Errors
/// A memory error with both numbers.
pub fn fits(opening: &Opening) -> Result<()> {
    let (Some(needs), Some(free)) = (opening.needs()?, free()) else { return Ok(()) };
    let bytes = needs.weights + needs.cache + needs.working;
    if bytes <= free {
        return Ok(());
    }
    let giga = |bytes: u64| bytes as f64 / 1e9;
    Err(Error::of_kind(
        ErrorKind::Memory,
        format!(
            "The model does not fit: it needs {:.2} GB of memory ({:.2} for weights, {:.2} for a conversation of {} tokens, {:.2} to work in), and {:.2} GB are free. Close other programs or take a smaller one (`loupe quantize` makes one).",
            giga(bytes),
            giga(needs.weights),
            giga(needs.cache),
            needs.context,
            giga(needs.working),
            giga(free)
        ),
    ))
}

/// Bytes that may be taken: `LOUPE_MEMORY`, else what Linux says is available; unknown elsewhere.
fn free() -> Option<u64> {
    if let Some(bytes) = env::var("LOUPE_MEMORY").ok().and_then(|bytes| bytes.parse().ok()) {
        return Some(bytes);
    }
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
