//! One node of a plan after the other: which kernels compute it, on what.

use super::{
    Bound, Gpu,
    device::Device,
    fuse::Fused,
    kernels::{Kernel, Shader, act_code},
    memory::Failure,
    record::{Record, Slot, Work, each, grid},
};
use crate::{
    exec::Input,
    graph::{Live, Mask, Node, NormKind, Op, Plan, RopeKind, Turn, Value, WeightId},
};

/// Rows up to which a layer is computed row by row.
const FEW: usize = 4;
/// Channels of a head that attention has room for.
const WIDEST: usize = 256;

/// Columns of a long row that a group of threads looks through for the largest.
const PART: usize = 2048;

/// Parts of a row that are looked through for the k largest of each; what they leave must be less than the row.
fn parts(cols: usize, k: usize) -> usize {
    if 4 * k > PART { 1 } else { cols.div_ceil(PART) }
}

/// Numbers of the arena that a node needs beside its value, for a short time.
pub fn scratch(node: &Node, read: impl Fn(Value) -> usize, live: &Live) -> usize {
    match node.op {
        Op::TopK { x, k } => match parts(read(x), k) {
            1 => 0,
            parts => node.rows.resolve(live) * parts * k * 2,
        },
        _ => 0,
    }
}

/// What the nodes of one run see.
pub struct Call<'a> {
    pub plan: &'a Plan,
    pub bound: &'a Bound,
    pub live: &'a Live,
    pub inputs: &'a [(&'a str, Input<'a>)],
}

impl<'a> Call<'a> {
    fn node(&self, value: Value) -> &Node {
        &self.plan.graph().nodes[value.index()]
    }

    fn rows(&self, value: Value) -> usize {
        self.node(value).rows.resolve(self.live)
    }

    /// Where in the arena a value begins.
    fn start(&self, value: Value) -> Result<u32, Failure> {
        let place = self.bound.place(value.index()).ok_or("a cache is read by more than attention")?;
        Ok(place.start as u32)
    }

    fn matrix(&self, name: &str, len: usize) -> Result<&'a [f32], Failure> {
        let given = self.inputs.iter().find_map(|(n, input)| match input {
            Input::Matrix(data) if *n == name => Some(*data),
            _ => None,
        });
        Ok(given.filter(|data| data.len() == len).ok_or("an input is missing or of another size")?)
    }

    fn index(&self, name: &str, len: usize, below: usize) -> Result<&'a [u32], Failure> {
        let given = self.inputs.iter().find_map(|(n, input)| match input {
            Input::Index(data) if *n == name => Some(*data),
            _ => None,
        });
        let given = given.filter(|data| data.len() == len).ok_or("an index is missing or of another size")?;
        let inside = given.iter().all(|&at| (at as usize) < below);
        if inside { Ok(given) } else { Err("an index names a row that is not there".into()) }
    }

    /// Whether an index is what the run before found.
    fn is_found(&self, name: &str) -> bool {
        self.inputs.iter().any(|(n, input)| *n == name && matches!(input, Input::Found))
    }

    /// The only stream of a weight of f32 in one part.
    fn floats<D: Device>(&self, gpu: &Gpu<D>, id: Option<WeightId>) -> Result<Slot, Failure> {
        let Some(id) = id else { return Ok(Slot::Given) };
        let at = self.bound.weight(id);
        let weight = &gpu.weights[at];
        let plain = weight.format == super::weights::Format::F32 && weight.parts.len() == 1;
        if plain { Ok(Slot::Weight { at, part: 0, stream: 0 }) } else { Err("a small weight is not of f32".into()) }
    }
}

fn work(kernel: Kernel, constants: &[(&'static str, u32)], params: &[usize], groups: [u32; 3]) -> Work {
    let shader = Shader { kernel, format: None, constants: constants.to_vec() };
    Work { shader, params: params.iter().map(|&p| p as u32).collect(), slots: vec![], groups }
}

impl Work {
    fn with(mut self, binding: u32, slot: Slot) -> Self {
        self.slots.push((binding, slot));
        self
    }
}

impl<D: Device> Gpu<D> {
    /// Writes down how node `at` is computed; in a word, for traces.
    pub(super) fn node<'a>(
        &mut self,
        call: &Call<'a>,
        at: usize,
        record: &mut Record<'a>,
    ) -> Result<&'static str, Failure> {
        let node = &call.plan.graph().nodes[at];
        let (rows, cols) = (node.rows.resolve(call.live), node.cols);
        let len = rows * cols;
        let y = call.bound.place(at).map_or(0, |place| place.start);
        if len == 0 {
            return Ok("no rows");
        }
        let start = |value: Value| call.start(value).map(|at| at as usize);
        match call.bound.fused[at] {
            Fused::Alone => {}
            Fused::Later(_) => return Ok("with a later one"),
            Fused::Sum(value) => {
                let layer = &call.plan.graph().nodes[at - 1];
                return self.linear(call, layer, [y, start(value)?], &[("ADDED", 1)], record);
            }
            Fused::Stored => return self.turn_and_store(call, at - 3, record),
        }
        match node.op {
            Op::Input(name) => record.inputs.push((y, call.matrix(name, len)?)),
            Op::Constant(id) => return self.unpack(call, id, None, [y, rows], record),
            Op::Embed(id) if call.is_found("ids") => {
                if rows != 1 {
                    return Err("one token was found, and more are to be read".into());
                }
                return self.unpack(call, id, Some((0, Slot::Found)), [y, rows], record);
            }
            Op::Embed(id) => {
                let ids = call.index("ids", rows, self.weights[call.bound.weight(id)].rows)?;
                let index = record.give(ids.iter().copied());
                return self.unpack(call, id, Some((index as usize, Slot::Given)), [y, rows], record);
            }
            Op::Linear { .. } => return self.linear(call, node, [y, 0], &[], record),
            Op::Norm { x, kind, weight, bias, eps, groups } => {
                let constants = [
                    ("CENTRED", u32::from(kind == NormKind::Layer)),
                    ("WEIGHTED", u32::from(weight.is_some())),
                    ("BIASED", u32::from(bias.is_some())),
                ];
                let params = [start(x)?, y, cols / groups, rows * groups, eps.to_bits() as usize];
                let (weight, bias) = (call.floats(self, weight)?, call.floats(self, bias)?);
                let norm = work(Kernel::Norm, &constants, &params, grid(rows * groups));
                record.works.push(norm.with(2, weight).with(3, bias));
            }
            Op::Rope { x, heads, turn } => {
                let table = self.turn(call, turn, rows, record);
                let pairs = u32::from(turn.kind == RopeKind::Pairs);
                let params = [start(x)?, y, len, cols, cols / heads, turn.turned, table as usize];
                record.works.push(work(Kernel::Rope, &[("PAIRS", pairs)], &params, each(len)).with(2, Slot::Given));
            }
            Op::Store { x, cache } => {
                // The node's own rows are those of the whole cache, of which each is whole words.
                let (id, words) = (cache.0 as usize, cols.div_ceil(2));
                let (first, count) = (call.live.position * words, call.rows(x) * words);
                self.memory.reserve_cache(&self.device, id, first, count)?;
                if count > 0 {
                    let store = work(Kernel::Store, &[], &[start(x)?, first, count, cols], each(count));
                    record.works.push(store.with(2, Slot::Cache(id)));
                }
            }
            Op::Attend { .. } => self.attend(call, node, y, record)?,
            Op::Convolve { x, weight, state } => {
                let taps = self.weights[call.bound.weight(weight)].cols;
                let id = state.0 as usize;
                if self.memory.reserve_state(&self.device, id, (taps - 1) * cols, call.live.position)? {
                    record.clears.push(id);
                }
                let params = [start(x)?, y, rows, cols, taps, taps.next_multiple_of(8)];
                let convolve = work(Kernel::Convolve, &[], &params, [cols.div_ceil(64) as u32, 1, 1]);
                let weight = call.floats(self, Some(weight))?;
                record.works.push(convolve.with(2, Slot::State(id)).with(3, weight));
            }
            Op::Delta { q, k, v, step, beta, rate, heads, key_heads, state } => {
                let (key, value, id) = (call.node(k).cols / key_heads, cols / heads, state.0 as usize);
                if self.memory.reserve_state(&self.device, id, heads * key * value, call.live.position)? {
                    record.clears.push(id);
                }
                let [q, k, v] = [start(q)?, start(k)?, start(v)?];
                let params = [q, k, v, start(step)?, start(beta)?, y, rows, heads, key_heads, key, value];
                let delta = work(Kernel::Delta, &[], &params, [value.div_ceil(64) as u32, heads as u32, 1]);
                record.works.push(delta.with(2, Slot::State(id)).with(3, call.floats(self, Some(rate))?));
            }
            Op::Add(a, b) => record.works.push(work(Kernel::Add, &[], &[start(a)?, start(b)?, y, len], each(len))),
            Op::Gate { a, b, act } => {
                let act = [("ACT", act_code(act))];
                record.works.push(work(Kernel::Gate, &act, &[start(a)?, start(b)?, y, len], each(len)));
            }
            Op::Scale { x, factor } => {
                let params = [start(x)?, y, len, factor.to_bits() as usize];
                record.works.push(work(Kernel::Map, &[("ACT", 0)], &params, each(len)));
            }
            Op::Act { x, act } => {
                let params = [start(x)?, y, len, 1f32.to_bits() as usize];
                record.works.push(work(Kernel::Map, &[("ACT", act_code(Some(act)))], &params, each(len)));
            }
            Op::Rows { x, index } => {
                let index = record.give(call.index(index, rows, call.rows(x))?.iter().copied());
                let params = [start(x)?, y, len, cols, index as usize];
                record.works.push(work(Kernel::Rows, &[], &params, each(len)).with(2, Slot::Given));
            }
            Op::Columns { x, groups, start: first, len: wide } => {
                let params = [start(x)?, y, len, call.node(x).cols / groups, first, wide];
                record.works.push(work(Kernel::Columns, &[], &params, each(len)));
            }
            // Rows in a row are side by side already.
            Op::Fold { x, rows: _ } => record.works.push(work(Kernel::Copy, &[], &[start(x)?, y, len], each(len))),
            Op::Concat(a, b) => {
                let first = call.rows(a) * cols;
                for (x, y, len) in [(a, y, first), (b, y + first, len - first)] {
                    if len > 0 {
                        record.works.push(work(Kernel::Copy, &[], &[start(x)?, y, len], each(len)));
                    }
                }
            }
            Op::TopK { x, k } => self.top_k(call, x, k, y, record)?,
        }
        Ok("f32")
    }

    /// The rows of a weight that an index names, or all.
    fn unpack(
        &self,
        call: &Call,
        id: WeightId,
        index: Option<(usize, Slot)>,
        [y, rows]: [usize; 2],
        record: &mut Record,
    ) -> Result<&'static str, Failure> {
        let at = call.bound.weight(id);
        let weight = &self.weights[at];
        let constants = [("NAMED", u32::from(index.is_some()))];
        let ((index, given), len) = (index.unwrap_or((0, Slot::Given)), rows * weight.cols.div_ceil(8));
        for (part, of) in weight.parts.iter().enumerate() {
            let params = [y, len, weight.cols, index, of.first, of.count];
            let unpack = work(Kernel::Unpack, &constants, &params, each(len));
            record.works.push(self.reading(at, part, unpack.with(2, given)));
        }
        Ok(weight.how)
    }

    fn linear<'a>(
        &self,
        call: &Call<'a>,
        node: &Node,
        [y, sum]: [usize; 2],
        added: &[(&'static str, u32)],
        record: &mut Record<'a>,
    ) -> Result<&'static str, Failure> {
        let Op::Linear { x, weight, bias, act } = node.op else { return Err("not a layer".into()) };
        let (at, rows) = (call.bound.weight(weight), call.rows(x));
        let weight = &self.weights[at];
        let constants = [&[("ACT", act_code(act)), ("BIASED", u32::from(bias.is_some()))], added].concat();
        let (x, bias) = (call.start(x)? as usize, call.floats(self, bias)?);
        for (part, of) in weight.parts.iter().enumerate() {
            let params = [x, y, weight.cols, of.count, of.first, node.cols, rows, sum];
            let layer = if rows <= FEW {
                let [across, down, _] = grid(of.count.div_ceil(4));
                work(Kernel::Matvec, &constants, &params, [across, down, rows as u32])
            } else {
                let groups = [of.count.div_ceil(64) as u32, rows.div_ceil(64) as u32, 1];
                work(Kernel::Matmul, &constants, &params, groups)
            };
            record.works.push(self.reading(at, part, layer.with(2, bias)));
        }
        Ok(weight.how)
    }

    fn attend<'a>(&self, call: &Call<'a>, node: &Node, y: usize, record: &mut Record<'a>) -> Result<(), Failure> {
        let Op::Attend { q, k, v, heads, kv_heads, scale, mask } = node.op else { return Err("not attention".into()) };
        let (rows, keys, dim) = (call.rows(q), call.rows(k), node.cols / heads);
        if dim > WIDEST || dim % 2 == 1 {
            return Err("a head is wider than 256 channels, or of an odd number of them".into());
        }
        let cache = |value: Value| match call.node(value).op {
            Op::Store { cache, .. } => Some(Slot::Cache(cache.0 as usize)),
            _ => None,
        };
        let (places, slots) = match (cache(k), cache(v)) {
            (Some(k), Some(v)) => ([0, 0], [k, v]),
            (None, None) => ([call.start(k)? as usize, call.start(v)? as usize], [Slot::Given; 2]),
            _ => return Err("keys lie in a cache, and values do not".into()),
        };
        let (causal, window) = match mask {
            Mask::Full => (0, 0),
            Mask::Causal => (1, 0),
            Mask::Windows(n) => (0, n),
        };
        let queries = [1, 4, 8][usize::from(rows > 1) + usize::from(rows > 4)];
        let cached = u32::from(cache(k).is_some());
        let constants = [("DIM", dim as u32), ("QUERIES", queries as u32), ("CACHED", cached)];
        let ([k, v], q, scale) = (places, call.start(q)? as usize, scale.to_bits() as usize);
        let params = [q, k, v, y, rows, keys, heads, kv_heads, causal, window, scale];
        let attend = work(Kernel::Attend, &constants, &params, [heads as u32, rows.div_ceil(queries) as u32, 1]);
        record.works.push(attend.with(2, slots[0]).with(3, slots[1]));
        Ok(())
    }

    /// Node `at` and the three after it: queries are turned, keys are turned and stored, values are stored.
    fn turn_and_store(&mut self, call: &Call, at: usize, record: &mut Record) -> Result<&'static str, Failure> {
        let nodes = &call.plan.graph().nodes[at..at + 4];
        let (&Op::Rope { x: q, heads, turn }, &Op::Rope { x: k, .. }) = (&nodes[0].op, &nodes[1].op) else {
            return Err("nothing is turned".into());
        };
        let (&Op::Store { cache: keys, .. }, &Op::Store { x: v, cache: values }) = (&nodes[2].op, &nodes[3].op) else {
            return Err("nothing is stored".into());
        };
        let (rows, cols, kv_cols, slots) =
            (call.rows(q), nodes[0].cols, nodes[1].cols, [keys, values].map(|id| id.0 as usize));
        let to = call.live.position * kv_cols / 2;
        for id in slots {
            self.memory.reserve_cache(&self.device, id, to, rows * kv_cols / 2)?;
        }
        let table = self.turn(call, turn, rows, record) as usize;
        let y = call.bound.place(at).ok_or("what is turned has no place")?.start;
        let (len, [q, k, v]) =
            (rows * (cols / 2 + kv_cols), [call.start(q)?, call.start(k)?, call.start(v)?].map(|x| x as usize));
        let params = [q, y, len, k, v, cols, kv_cols, cols / heads, turn.turned, table, to];
        let constants = [("PAIRS", u32::from(turn.kind == RopeKind::Pairs))];
        let turned = work(Kernel::Turn, &constants, &params, each(len)).with(2, Slot::Given);
        record.works.push(turned.with(3, Slot::Cache(slots[0])).with(4, Slot::Cache(slots[1])));
        Ok("f32")
    }

    /// The largest of each row: of parts of it first, if it is long.
    fn top_k(&self, call: &Call, x: Value, k: usize, y: usize, record: &mut Record) -> Result<(), Failure> {
        let (x, rows, cols) = (call.start(x)? as usize, call.rows(x), call.node(x).cols);
        let mut add = |[pairs, last]: [u32; 2], [x, y, cols, part]: [usize; 4]| {
            let constants = [("PAIRS", pairs), ("LAST", last)];
            let groups = [cols.div_ceil(part) as u32, rows as u32, 1];
            record.works.push(work(Kernel::TopK, &constants, &[x, y, cols, k, part], groups).with(2, Slot::Found));
        };
        match parts(cols, k) {
            1 => add([0, 1], [x, y, cols, cols]),
            parts => {
                add([0, 0], [x, call.bound.scratch, cols, PART]);
                add([1, 1], [call.bound.scratch, y, parts * k, parts * k]);
            }
        }
        Ok(())
    }

    /// The place of the cosines and sines of a call's positions.
    fn turn(&mut self, call: &Call, turn: Turn, rows: usize, record: &mut Record) -> u32 {
        let factors = turn.factors.map(|id| {
            let at = call.bound.weight(id);
            (at, &self.weights[at].floats[..])
        });
        // One layout serves both pairings: cosines, then sines.
        let plain = Turn { kind: RopeKind::Halves, ..turn };
        record.turn(plain, || self.turns.rows(plain, factors, call.live.position, rows))
    }

    /// Binds the streams of a part of a weight to a kernel that reads its format.
    fn reading(&self, at: usize, part: usize, mut work: Work) -> Work {
        let weight = &self.weights[at];
        work.shader.format = Some(weight.format);
        let streams = 0..weight.parts[part].streams.len();
        work.slots.extend(streams.map(|stream| (3 + stream as u32, Slot::Weight { at, part, stream })));
        work
    }
}
