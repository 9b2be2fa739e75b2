//! Orders a graph's values in one arena by how long each is needed.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Graph, Live, Strip, Value, strips::strips};

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
    strips: Vec<Strip>,
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
        let strips = strips(&graph, &last_read);
        Self { id: PLANS.fetch_add(1, Ordering::Relaxed), graph, last_read, strips }
    }

    /// What tells this plan and its clones from others, for executors that remember what they found out about it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The value of node `at`.
    pub fn value(&self, at: usize) -> Value {
        Value(at as u32)
    }

    /// Whether a value can be given up once node `at` has run.
    pub fn is_dead_after(&self, value: Value, at: usize) -> bool {
        self.last_read[value.index()] <= at
    }

    /// Nodes that can be run some rows at a time.
    pub fn strips(&self) -> &[Strip] {
        &self.strips
    }

    /// Whether a value is of no use outside of the strip that it is made in.
    pub fn is_inside(&self, strip: &Strip, value: Value) -> bool {
        strip.nodes.contains(&value.index()) && self.last_read[value.index()] < strip.nodes.end
    }

    /// A place for every value in a call of these sizes (`None` for what lies in weights and caches), and the
    /// elements of the arena. Two values share elements only when one is dead before the other is written.
    pub fn places(&self, live: &Live) -> (Vec<Option<Place>>, usize) {
        self.lay_out(live, &[], |at| at)
    }

    /// The same for a machine that computes neighbouring nodes together: `first` tells the first node of each one's group, and
    /// what any of a group reads is not overwritten by another of it.
    pub fn places_of_groups(&self, live: &Live, first: impl Fn(usize) -> usize) -> (Vec<Option<Place>>, usize) {
        self.lay_out(live, &[], first)
    }

    /// The same where each [strip](Self::strips) is run pass by pass: what is of no use outside of a strip has room for one
    /// pass.
    pub fn places_in_strips(&self, live: &Live) -> (Vec<Option<Place>>, usize) {
        self.lay_out(live, &self.strips, |at| at)
    }

    /// Bytes of the arena in a call of these sizes, strips run pass by pass.
    pub fn arena_bytes(&self, live: &Live) -> usize {
        self.places_in_strips(live).1 * size_of::<f32>()
    }

    fn lay_out(&self, live: &Live, strips: &[Strip], first: impl Fn(usize) -> usize) -> (Vec<Option<Place>>, usize) {
        let nodes = &self.graph.nodes;
        // What a strip reads is read in each of its passes.
        let mut last = self.last_read.clone();
        for strip in strips {
            for read in strip.nodes.clone().flat_map(|at| nodes[at].op.reads()) {
                if read.index() < strip.nodes.start {
                    last[read.index()] = last[read.index()].max(strip.nodes.end - 1);
                }
            }
        }
        let mut arena = Layout { places: vec![None; nodes.len()], in_use: Vec::new(), end: 0 };
        let mut strips = strips.iter().peekable();
        for (at, node) in nodes.iter().enumerate() {
            while strips.next_if(|strip| strip.nodes.end <= at).is_some() {}
            // A value still read by this very node must not be overwritten by it.
            arena.in_use.retain(|&(_, last)| last >= first(at));
            let strip = strips.peek().filter(|strip| strip.nodes.contains(&at));
            if let Some(strip) = strip.filter(|strip| strip.nodes.start == at) {
                // What it leaves is written in each of its passes.
                for left in strip.nodes.clone().filter(|&left| !self.is_inside(strip, self.value(left))) {
                    arena.put(left, strip.rows * nodes[left].cols, last[left]);
                }
            }
            if !node.op.is_elsewhere() && arena.places[at].is_none() {
                let rows = strip.map_or_else(|| node.rows.resolve(live), |strip| strip.pass());
                arena.put(at, rows * node.cols, last[at]);
            }
        }
        (arena.places, arena.end)
    }
}

/// An arena being laid out.
struct Layout {
    places: Vec<Option<Place>>,
    /// Places whose values are still read, in order, and by which node last.
    in_use: Vec<(Place, usize)>,
    end: usize,
}

impl Layout {
    /// Gives the value of node `at` the tightest place there is.
    fn put(&mut self, at: usize, len: usize, last: usize) {
        let place = Place { start: smallest_gap(&self.in_use, len), len };
        let slot = self.in_use.partition_point(|(p, _)| p.start < place.start);
        self.in_use.insert(slot, (place, last));
        self.end = self.end.max(place.start + len);
        self.places[at] = Some(place);
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
