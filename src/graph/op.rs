//! The operations. There are few on purpose: each must be written once for every executor.

use super::WeightId;

/// A matrix that a node computes: the node's place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub(super) u32);

impl Value {
    /// The place of the node in [`Graph::nodes`](super::Graph).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A key or value cache: rows of one layer, kept from call to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheId(pub u32);

/// What a recurrent operation remembers of the positions so far, kept from call to call. Unlike a cache it cannot be cut
/// back; it begins as zeros in a call at position 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateId(pub u32);

/// How many rows a value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rows {
    /// Always this many.
    Fixed(usize),
    /// One for each token id of this call.
    Tokens,
    /// One for each picture row of this call.
    Pictures,
    /// One for each position of this call: tokens and picture rows together.
    Prompt,
    /// One for each position so far, this call's included.
    Cached,
}

/// The sizes that differ from call to call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Token ids in this call.
    pub tokens: usize,
    /// Picture rows in this call.
    pub pictures: usize,
    /// Positions in the cache before this call.
    pub position: usize,
}

impl Rows {
    /// The number of rows in a call.
    pub fn resolve(self, live: &Live) -> usize {
        match self {
            Self::Fixed(n) => n,
            Self::Tokens => live.tokens,
            Self::Pictures => live.pictures,
            Self::Prompt => live.tokens + live.pictures,
            Self::Cached => live.position + live.tokens + live.pictures,
        }
    }
}

/// An element-wise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// x·σ(x)
    Silu,
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³)))
    GeluTanh,
    /// ½x(1 + erf(x/√2))
    GeluErf,
    /// x·σ(1.702x)
    GeluQuick,
    /// σ(x)
    Sigmoid,
    /// ln(1 + eˣ)
    Softplus,
}

/// How a row is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Divided by its root mean square.
    Rms,
    /// Its mean taken off, divided by its standard deviation.
    Layer,
}

/// Which two channels of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeKind {
    /// 2i and 2i + 1 (GGUF's `llama`).
    Pairs,
    /// i and i + half (GGUF's `qwen2`, and Hugging Face).
    Halves,
}

/// How rotary positions turn the channels of a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Which channels turn together.
    pub kind: RopeKind,
    /// How many channels turn, from the first on.
    pub turned: usize,
    /// Pair i turns by base^(−2i/turned) a position.
    pub base: f32,
    /// Divides the angle of each pair, `[1, turned/2]`.
    pub factors: Option<WeightId>,
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    Full,
    /// Those at or before its own position; the last query row sits at the last key row.
    Causal,
    /// Those of its own window: queries and keys are as many, and each this many rows in a row are a window.
    Windows(usize),
}

/// One operation. Shapes are `[rows, cols]`; every matrix is f32 to the graph, whatever its weights are stored as.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Op {
    /// A matrix given with each call, by name.
    Input(&'static str),
    /// A weight used as a matrix.
    Constant(WeightId),
    /// The rows of a weight `[vocabulary, cols]` that the call's token ids name.
    Embed(WeightId),
    /// act(x·Wᵀ + b) for W `[out, in]`, b `[1, out]`.
    Linear { x: Value, weight: WeightId, bias: Option<WeightId>, act: Option<Act> },
    /// Each row, in `groups` equal groups of columns, normalised, then times `weight` and plus `bias`, each `[1, cols/groups]`.
    Norm { x: Value, kind: NormKind, weight: Option<WeightId>, bias: Option<WeightId>, eps: f32, groups: usize },
    /// Rotary positions (arXiv 2104.09864) on each of `heads` heads; row r sits at position + r of the call.
    Rope { x: Value, heads: usize, turn: Turn },
    /// Writes the rows of x into the cache at the call's position; the value is the whole cache up to there.
    Store { x: Value, cache: CacheId },
    /// softmax(scale·q·kᵀ)·v for each head. q is `[n, heads·dim]`, k and v `[m, kv_heads·dim]`: no transposes.
    Attend { q: Value, k: Value, v: Value, heads: usize, kv_heads: usize, scale: f32, mask: Mask },
    /// Each column with its own past: yᵣ = Σⱼ w[·, j]·xᵣ₊ⱼ₋ₖ₊₁ for w `[cols, k]`. The state is the k − 1 rows of x before
    /// the call.
    Convolve { x: Value, weight: WeightId, state: StateId },
    /// The gated delta rule (arXiv 2412.06464), row after row, for each of `heads` heads with a state S `[key, value]`:
    /// S ← e^(rate·step)·S; S ← S + k·(β(v − Sᵀk))ᵀ; y = Sᵀq. q and k are `[n, key_heads·key]`, v is `[n, heads·value]`,
    /// step and beta are `[n, heads]`, rate is `[1, heads]`; head h reads key head h mod `key_heads`.
    Delta {
        q: Value,
        k: Value,
        v: Value,
        step: Value,
        beta: Value,
        rate: WeightId,
        heads: usize,
        key_heads: usize,
        state: StateId,
    },
    /// a + b.
    Add(Value, Value),
    /// act(a)·b, or a·b.
    Gate { a: Value, b: Value, act: Option<Act> },
    /// x·factor.
    Scale { x: Value, factor: f32 },
    /// act(x).
    Act { x: Value, act: Act },
    /// The rows of x that an index given with each call names, in its order.
    Rows { x: Value, index: &'static str },
    /// Of each of `groups` equal groups of columns, `len` columns from `start` on.
    Columns { x: Value, groups: usize, start: usize, len: usize },
    /// Each `rows` rows in a row side by side: `[n, cols]` becomes `[n/rows, rows·cols]`.
    Fold { x: Value, rows: usize },
    /// The rows of a, then those of b.
    Concat(Value, Value),
    /// The columns of the k largest elements of each row, largest first, the lower column first among equals.
    TopK { x: Value, k: usize },
}

impl Op {
    /// The values it reads.
    pub fn reads(&self) -> Vec<Value> {
        match *self {
            Self::Input(_) | Self::Constant(_) | Self::Embed(_) => vec![],
            Self::Linear { x, .. }
            | Self::Norm { x, .. }
            | Self::Rope { x, .. }
            | Self::Store { x, .. }
            | Self::Scale { x, .. }
            | Self::Act { x, .. }
            | Self::Convolve { x, .. }
            | Self::Rows { x, .. }
            | Self::Columns { x, .. }
            | Self::Fold { x, .. }
            | Self::TopK { x, .. } => vec![x],
            Self::Add(a, b) | Self::Gate { a, b, .. } | Self::Concat(a, b) => vec![a, b],
            Self::Attend { q, k, v, .. } => vec![q, k, v],
            Self::Delta { q, k, v, step, beta, .. } => vec![q, k, v, step, beta],
        }
    }

    /// The place in [`Graph::weights`](super::Graph) of the weight that it is about, if it is about one.
    pub fn weight(&self) -> Option<usize> {
        match *self {
            Self::Constant(w)
            | Self::Embed(w)
            | Self::Linear { weight: w, .. }
            | Self::Norm { weight: Some(w), .. }
            | Self::Convolve { weight: w, .. } => Some(w.index()),
            _ => None,
        }
    }

    /// What it is called in profiles.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Constant(_) => "constant",
            Self::Embed(_) => "embed",
            Self::Linear { .. } => "linear",
            Self::Norm { .. } => "norm",
            Self::Rope { .. } => "rope",
            Self::Store { .. } => "store",
            Self::Attend { .. } => "attend",
            Self::Convolve { .. } => "convolve",
            Self::Delta { .. } => "delta",
            Self::Add(..) => "add",
            Self::Gate { .. } => "gate",
            Self::Scale { .. } => "scale",
            Self::Act { .. } => "act",
            Self::Rows { .. } => "rows",
            Self::Columns { .. } => "columns",
            Self::Fold { .. } => "fold",
            Self::Concat(..) => "concat",
            Self::TopK { .. } => "top-k",
        }
    }

    /// Whether its value lies in a cache or a weight rather than in the arena.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Constant(_) | Self::Store { .. })
    }
}
