//! `--trace`: where the time of an answer went, node by node.

use std::{collections::BTreeMap, fmt::Write};

use loupe::{graph::Trace, session::Profile};

/// Nodes that differ only in their layer.
struct Line {
    calls: usize,
    ms: f64,
    shape: [usize; 2],
    how: &'static str,
}

/// A table for each of encode, prefill and decode; what took longest first.
pub fn table(profile: &Profile) -> String {
    let mut text = String::new();
    for (phase, trace) in [("encode", &profile.encode), ("prefill", &profile.prefill), ("decode", &profile.decode)] {
        let lines = lines(trace);
        let total: f64 = lines.iter().map(|(_, line)| line.ms).sum();
        writeln!(text, "{phase}: {total:.1} ms in {} nodes", trace.entries.len()).ok();
        for (name, Line { calls, ms, shape: [rows, cols], how }) in lines {
            let share = 100.0 * ms / total.max(f64::MIN_POSITIVE);
            let shape = format!("{rows}×{cols}");
            writeln!(text, "{share:6.1} %{ms:10.2} ms{calls:6} ×  {shape:>12}  {how:24} {name}").ok();
        }
    }
    text
}

fn lines(trace: &Trace) -> Vec<(String, Line)> {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for entry in &trace.entries {
        let line = lines.entry(without_numbers(&entry.label)).or_insert(Line {
            calls: 0,
            ms: 0.0,
            shape: entry.shape,
            how: entry.how,
        });
        line.calls += 1;
        line.ms += entry.ms;
        line.shape = entry.shape;
    }
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort_by(|a, b| b.1.ms.total_cmp(&a.1.ms));
    lines
}

/// `v.blk.3.ffn_up` and `v.blk.4.ffn_up` are one line.
fn without_numbers(name: &str) -> String {
    let part = |part: &str| if part.bytes().all(|b| b.is_ascii_digit()) { "*".to_owned() } else { part.to_owned() };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}
