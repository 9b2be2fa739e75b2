//! What a run did, node by node, and where two runs part.

/// One node of a run.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The node's name.
    pub name: String,
    /// What it does: see [`Graph::label`](super::Graph::label).
    pub label: String,
    /// `[rows, cols]` of its value.
    pub shape: [usize; 2],
    /// How it was computed: the kernel, and what it fell back from if it did.
    pub how: &'static str,
    /// Milliseconds it took.
    pub ms: f64,
    /// Its value, row by row, when the trace keeps values.
    pub values: Option<Vec<f32>>,
}

/// A record of runs.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Whether values are kept, not times alone.
    pub keep_values: bool,
    /// The nodes, as they ran.
    pub entries: Vec<Entry>,
}

impl Trace {
    /// A trace that keeps values.
    pub fn with_values() -> Self {
        Self { keep_values: true, entries: Vec::new() }
    }

    /// The value of the last node of this name, if the trace kept it.
    pub fn values(&self, name: &str) -> Option<&[f32]> {
        self.entries.iter().rev().find(|e| e.name == name)?.values.as_deref()
    }
}

/// The first node at which two runs of one graph differ by more than `tolerance` times the largest magnitude of its
/// value: its name and the largest difference. `None` when they agree throughout.
pub fn first_difference(a: &Trace, b: &Trace, tolerance: f32) -> Option<(String, f32)> {
    for (x, y) in a.entries.iter().zip(&b.entries) {
        let (Some(p), Some(q)) = (&x.values, &y.values) else { continue };
        if x.name != y.name || p.len() != q.len() {
            return Some((x.name.clone(), f32::INFINITY));
        }
        let scale = q.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
        let worst = p.iter().zip(q).fold(0f32, |m, (v, w)| {
            let d = (v - w).abs();
            // NaN on either side is a difference, and `max` would drop it.
            if d.is_nan() { f32::INFINITY } else { m.max(d) }
        });
        if worst > tolerance * scale {
            return Some((x.name.clone(), worst));
        }
    }
    None
}
