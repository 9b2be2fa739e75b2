//! Orders a graph's values in one arena by how long each is needed.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Graph, Live, Value};

/// Where a value lies in the arena, in f32 elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first element.
    pub start: usize,
    /// Elements.
    pub len: usize,
}

/// A graph ready to run: which node reads each value last, and from that a place for every value.
#[derive(Clone, Debug)]
pub struct Plan {
    id: u64,
    graph: Graph,
    last_read: Vec<usize>,
}

impl Plan {
    /// Plans a graph.
    pub fn new(graph: Graph) -> Self {
        let mut last_read: Vec<usize> = (0..graph.nodes.len()).collect();
        for (at, node) in graph.nodes.iter().enumerate() {
            for read in node.op.reads() {
                last_read[read.index()] = at;
            }
        }
        for output in &graph.outputs {
            last_read[output.index()] = usize::MAX;
        }
        static PLANS: AtomicU64 = AtomicU64::new(1);
        Self { id: PLANS.fetch_add(1, Ordering::Relaxed), graph, last_read }
    }

    /// What tells this plan and its clones from others, for executors that remember what they found out about it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether a value can be given up once node `at` has run.
    pub fn is_dead_after(&self, value: Value, at: usize) -> bool {
        self.last_read[value.index()] <= at
    }

    /// A place for every value in a call of these sizes (`None` for what lies in weights and caches), and the
    /// elements of the arena. Two values share elements only when one is dead before the other is written.
    pub fn places(&self, live: &Live) -> (Vec<Option<Place>>, usize) {
        let mut places: Vec<Option<Place>> = Vec::with_capacity(self.graph.nodes.len());
        let mut in_use: Vec<(Place, usize)> = Vec::new();
        let mut end = 0;
        for (at, node) in self.graph.nodes.iter().enumerate() {
            if node.op.is_elsewhere() {
                places.push(None);
                continue;
            }
            // A value still read by this very node must not be overwritten by it.
            in_use.retain(|&(_, last)| last >= at);
            let len = node.rows.resolve(live) * node.cols;
            let place = Place { start: smallest_gap(&in_use, len), len };
            let slot = in_use.partition_point(|(p, _)| p.start < place.start);
            in_use.insert(slot, (place, self.last_read[at]));
            end = end.max(place.start + len);
            places.push(Some(place));
        }
        (places, end)
    }

    /// Bytes of the arena in a call of these sizes.
    pub fn arena_bytes(&self, live: &Live) -> usize {
        self.places(live).1 * size_of::<f32>()
    }
}

/// The start of the tightest gap of at least `len` between the places in use, which are in order; else their end.
fn smallest_gap(in_use: &[(Place, usize)], len: usize) -> usize {
    let (mut best, mut cursor) = (None, 0);
    for (place, _) in in_use {
        let gap = place.start.saturating_sub(cursor);
        if gap >= len && best.is_none_or(|(size, _)| gap < size) {
            best = Some((gap, cursor));
        }
        cursor = cursor.max(place.start + place.len);
    }
    best.map_or(cursor, |(_, start)| start)
}
