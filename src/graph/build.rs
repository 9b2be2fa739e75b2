//! Writes a graph down, checking shapes as it goes.
//!
//! A shape that does not fit is a fault in the model's configuration (a damaged or unsupported file), so it is an error
//! with the node's name, never a panic. The first one is kept and comes out of [`Builder::finish`]: model code reads as
//! arithmetic, without a `?` at each step.

use super::{Act, CacheId, Mask, NormKind, Op, Rows, StateId, Turn, Value};
use crate::error::{Error, Result};

/// A weight of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeightId(u32);

impl WeightId {
    /// Its place in [`Graph::weights`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a graph asks of the model's files: the table that is checked against their headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The tensor's name in the file.
    pub name: String,
    /// `[rows, cols]`; a vector is one row.
    pub shape: [usize; 2],
}

/// One operation of a graph and the shape of its value.
#[derive(Clone, Debug)]
pub struct Node {
    /// What the value is called in traces and errors.
    pub name: String,
    /// The operation.
    pub op: Op,
    /// Rows of the value.
    pub rows: Rows,
    /// Columns of the value.
    pub cols: usize,
}

/// A finished graph; nodes are in an order in which each reads only earlier ones.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The operations.
    pub nodes: Vec<Node>,
    /// The weights.
    pub weights: Vec<Weight>,
    /// The values that can be read after a run.
    pub outputs: Vec<Value>,
}

impl Graph {
    /// The first node that is called so, or that reads the weight that is.
    pub fn find(&self, name: &str) -> Option<usize> {
        let weight = self.weights.iter().position(|weight| weight.name == name);
        self.nodes.iter().position(|node| node.name == name || weight.is_some() && node.op.weight() == weight)
    }

    /// The names that [`find`](Self::find) knows: weights', and those of nodes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let weights = self.weights.iter().map(|weight| weight.name.as_str());
        weights.chain(self.nodes.iter().map(|node| node.name.as_str()))
    }

    /// What node `at` does, for profiles: its operation and the weight that it is about, if it is about one.
    pub fn label(&self, at: usize) -> String {
        let op = &self.nodes[at].op;
        let weight = op.weight().map(|at| format!(" {}", self.weights[at].name));
        op.kind().to_owned() + &weight.unwrap_or_default()
    }
}

/// A graph being written.
#[derive(Default)]
pub struct Builder {
    nodes: Vec<Node>,
    weights: Vec<Weight>,
    scope: String,
    /// The first node of the scope.
    scoped: usize,
    fault: Option<String>,
}

impl Builder {
    /// The values from here on get names made from this one: `name#0`, `name#1`, …
    pub fn scope(&mut self, name: impl Into<String>) {
        (self.scope, self.scoped) = (name.into(), self.nodes.len());
    }

    /// Gives a value the name it has in traces.
    pub fn name(&mut self, value: Value, name: impl Into<String>) -> Value {
        self.nodes[value.index()].name = name.into();
        value
    }

    /// Columns of a value.
    pub fn width(&self, value: Value) -> usize {
        self.nodes[value.index()].cols
    }

    /// A weight by its name in the file.
    pub fn weight(&mut self, name: impl Into<String>, shape: [usize; 2]) -> WeightId {
        let name = name.into();
        let known = self.weights.iter().position(|w| w.name == name);
        let at = known.unwrap_or_else(|| {
            self.weights.push(Weight { name, shape });
            self.weights.len() - 1
        });
        if self.weights[at].shape != shape {
            self.fault(format!("weight `{}` is used in two shapes", self.weights[at].name));
        }
        WeightId(at as u32)
    }

    /// A matrix given with each call.
    pub fn input(&mut self, name: &'static str, rows: Rows, cols: usize) -> Value {
        let value = self.push(Op::Input(name), rows, cols);
        self.name(value, name)
    }

    /// A weight used as a matrix.
    pub fn constant(&mut self, weight: WeightId) -> Value {
        let [rows, cols] = self.weights[weight.index()].shape;
        self.push(Op::Constant(weight), Rows::Fixed(rows), cols)
    }

    /// See [`Op::Embed`].
    pub fn embed(&mut self, table: WeightId) -> Value {
        let cols = self.weights[table.index()].shape[1];
        self.push(Op::Embed(table), Rows::Tokens, cols)
    }

    /// See [`Op::Linear`].
    pub fn linear(&mut self, x: Value, weight: WeightId, bias: Option<WeightId>, act: Option<Act>) -> Value {
        let [out, inner] = self.weights[weight.index()].shape;
        self.expect(inner == self.width(x), "a linear layer's width");
        self.expect_vector(bias, out);
        self.push(Op::Linear { x, weight, bias, act }, self.rows(x), out)
    }

    /// See [`Op::Norm`].
    pub fn norm(
        &mut self,
        x: Value,
        kind: NormKind,
        weight: Option<WeightId>,
        bias: Option<WeightId>,
        eps: f32,
        groups: usize,
    ) -> Value {
        let cols = self.width(x);
        self.expect(groups > 0 && cols.is_multiple_of(groups), "a norm's groups");
        self.expect_vector(weight, cols / groups.max(1));
        self.expect_vector(bias, cols / groups.max(1));
        self.push(Op::Norm { x, kind, weight, bias, eps, groups }, self.rows(x), cols)
    }

    /// See [`Op::Rope`].
    pub fn rope(&mut self, x: Value, heads: usize, turn: Turn) -> Value {
        let cols = self.width(x);
        let dim = if heads > 0 && cols.is_multiple_of(heads) { cols / heads } else { 0 };
        self.expect(turn.turned.is_multiple_of(2) && (1..=dim).contains(&turn.turned), "rotary dimensions");
        self.expect_vector(turn.factors, turn.turned / 2);
        self.push(Op::Rope { x, heads, turn }, self.rows(x), cols)
    }

    /// See [`Op::Store`].
    pub fn store(&mut self, x: Value, cache: CacheId) -> Value {
        self.push(Op::Store { x, cache }, Rows::Cached, self.width(x))
    }

    /// See [`Op::Attend`]; the scale is 1/√dim.
    pub fn attend(&mut self, [q, k, v]: [Value; 3], heads: usize, kv_heads: usize, mask: Mask) -> Value {
        let (cols, kv_cols) = (self.width(q), self.width(k));
        let fits = heads > 0
            && kv_heads > 0
            && heads.is_multiple_of(kv_heads)
            && cols.is_multiple_of(heads)
            && kv_cols == cols / heads * kv_heads
            && self.width(v) == kv_cols
            && self.rows(k) == self.rows(v)
            && match (mask, self.rows(q)) {
                (Mask::Windows(n), rows) => {
                    matches!(rows, Rows::Fixed(m) if n > 0 && m.is_multiple_of(n)) && rows == self.rows(k)
                }
                _ => true,
            };
        self.expect(fits, "attention heads");
        let scale = 1.0 / (cols as f32 / heads.max(1) as f32).sqrt();
        self.push(Op::Attend { q, k, v, heads, kv_heads, scale, mask }, self.rows(q), cols)
    }

    /// See [`Op::Convolve`].
    pub fn convolve(&mut self, x: Value, weight: WeightId, state: StateId) -> Value {
        let ([channels, taps], cols) = (self.weights[weight.index()].shape, self.width(x));
        self.expect(channels == cols && taps > 0, "a convolution's channels");
        self.push(Op::Convolve { x, weight, state }, self.rows(x), cols)
    }

    /// See [`Op::Delta`]; `heads` are those of the values, then those of the keys.
    pub fn delta(
        &mut self,
        [q, k, v]: [Value; 3],
        [step, beta]: [Value; 2],
        rate: WeightId,
        [heads, key_heads]: [usize; 2],
        state: StateId,
    ) -> Value {
        let (keys, cols) = (self.width(k), self.width(v));
        let fits = key_heads > 0
            && heads.is_multiple_of(key_heads)
            && heads > 0
            && keys.is_multiple_of(key_heads)
            && cols.is_multiple_of(heads)
            && self.width(q) == keys
            && [step, beta].iter().all(|&x| self.width(x) == heads)
            && [q, k, step, beta].iter().all(|&x| self.rows(x) == self.rows(v));
        self.expect(fits, "delta heads");
        self.expect_vector(Some(rate), heads);
        self.push(Op::Delta { q, k, v, step, beta, rate, heads, key_heads, state }, self.rows(v), cols)
    }

    /// See [`Op::Add`].
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.expect_same(a, b);
        self.push(Op::Add(a, b), self.rows(a), self.width(a))
    }

    /// See [`Op::Gate`].
    pub fn gate(&mut self, a: Value, b: Value, act: Option<Act>) -> Value {
        self.expect_same(a, b);
        self.push(Op::Gate { a, b, act }, self.rows(a), self.width(a))
    }

    /// See [`Op::Scale`].
    pub fn scale(&mut self, x: Value, factor: f32) -> Value {
        self.push(Op::Scale { x, factor }, self.rows(x), self.width(x))
    }

    /// See [`Op::Act`].
    pub fn act(&mut self, x: Value, act: Act) -> Value {
        self.push(Op::Act { x, act }, self.rows(x), self.width(x))
    }

    /// See [`Op::Rows`].
    pub fn gather(&mut self, x: Value, index: &'static str, rows: Rows) -> Value {
        self.push(Op::Rows { x, index }, rows, self.width(x))
    }

    /// See [`Op::Columns`].
    pub fn columns(&mut self, x: Value, groups: usize, start: usize, len: usize) -> Value {
        let cols = self.width(x);
        let group = if groups > 0 && cols.is_multiple_of(groups) { cols / groups } else { 0 };
        self.expect(len > 0 && start.saturating_add(len) <= group, "a choice of columns");
        self.push(Op::Columns { x, groups, start, len }, self.rows(x), groups * len)
    }

    /// See [`Op::Fold`]; only of a fixed number of rows.
    pub fn fold(&mut self, x: Value, rows: usize) -> Value {
        let folded = match self.rows(x) {
            Rows::Fixed(n) if rows > 0 && n.is_multiple_of(rows) => n / rows,
            _ => {
                self.fault("rows that cannot be folded".into());
                1
            }
        };
        self.push(Op::Fold { x, rows }, Rows::Fixed(folded), self.width(x) * rows)
    }

    /// See [`Op::Concat`]; live parts are the tokens first, then the picture rows.
    pub fn concat(&mut self, a: Value, b: Value) -> Value {
        self.expect(self.width(a) == self.width(b), "joined matrices");
        let rows = match (self.rows(a), self.rows(b)) {
            (Rows::Fixed(n), Rows::Fixed(m)) => Rows::Fixed(n + m),
            (Rows::Tokens, Rows::Pictures) => Rows::Prompt,
            _ => {
                self.fault("rows that cannot be joined".into());
                Rows::Prompt
            }
        };
        self.push(Op::Concat(a, b), rows, self.width(a))
    }

    /// See [`Op::TopK`].
    pub fn top_k(&mut self, x: Value, k: usize) -> Value {
        self.expect((1..=self.width(x)).contains(&k), "a top-k");
        self.push(Op::TopK { x, k }, self.rows(x), k)
    }

    /// The graph, with the values that will be read after a run.
    ///
    /// # Errors
    /// A model error naming the first node whose shape did not fit.
    pub fn finish(self, outputs: Vec<Value>) -> Result<Graph> {
        match self.fault {
            None => Ok(Graph { nodes: self.nodes, weights: self.weights, outputs }),
            Some(fault) => Err(Error::model(format!(
                "The model's sizes do not fit together: {fault}. The file is damaged or of a kind Loupe does not support."
            ))),
        }
    }

    fn rows(&self, x: Value) -> Rows {
        self.nodes[x.index()].rows
    }

    fn push(&mut self, op: Op, rows: Rows, cols: usize) -> Value {
        let value = Value(self.nodes.len() as u32);
        let name = format!("{}#{}", self.scope, self.nodes.len() - self.scoped);
        self.nodes.push(Node { name, op, rows, cols });
        value
    }

    fn expect_same(&mut self, a: Value, b: Value) {
        self.expect((self.rows(a), self.width(a)) == (self.rows(b), self.width(b)), "combined matrices");
    }

    fn expect_vector(&mut self, weight: Option<WeightId>, len: usize) {
        let fits = weight.is_none_or(|w| self.weights[w.index()].shape == [1, len]);
        self.expect(fits, "a vector's length");
    }

    fn expect(&mut self, fits: bool, what: &str) {
        if !fits {
            self.fault(what.into());
        }
    }

    fn fault(&mut self, what: String) {
        let scope = &self.scope;
        self.fault.get_or_insert_with(|| format!("{what} at `{scope}`"));
    }
}
