//! One node of a plan after the other.

use std::ops::Range;

use super::{
    Cpu,
    activate::{self, Activate, Gate},
    arena::Arena,
    attend::{Attention, Shape, Source, windows},
    blocks,
    bound::Bound,
    convolve::{self, Convolve},
    delta,
    halves::HalfCache,
    linear::Linear,
    norm::Norm,
    rope::Rope,
    topk::TopK,
    weights::Weights,
};
use crate::{
    exec::Input,
    graph::{Live, Mask, Node, Op, Place, Plan, Strip, Value},
};

/// What the nodes of one run see.
pub struct Call<'a> {
    pub plan: &'a Plan,
    pub bound: &'a Bound,
    pub live: &'a Live,
    pub inputs: &'a [(&'a str, Input<'a>)],
    /// The pass that a strip is in: which strip, and which rows.
    pub pass: Option<(&'a Strip, Range<usize>)>,
}

impl Call<'_> {
    fn node(&self, value: Value) -> &Node {
        &self.plan.graph().nodes[value.index()]
    }

    /// How many rows the pass of a strip has.
    pub fn pass_rows(&self) -> Option<usize> {
        self.pass.as_ref().map(|(_, rows)| rows.len())
    }

    /// Where the rows of a value lie that this call is about.
    fn place(&self, value: Value) -> Option<Place> {
        let place = self.bound.place(value.index())?;
        let Some((strip, rows)) = &self.pass else { return Some(place) };
        let cols = self.node(value).cols;
        // What is inside has room for one pass.
        let first = if self.plan.is_inside(strip, value) { 0 } else { rows.start };
        Some(Place { start: place.start + first * cols, len: rows.len() * cols })
    }

    fn rows(&self, value: Value) -> usize {
        self.node(value).rows.resolve(self.live)
    }

    fn matrix(&self, name: &str, len: usize) -> Result<&[f32], &'static str> {
        let given = self.inputs.iter().find_map(|(n, input)| match input {
            Input::Matrix(data) if *n == name => Some(*data),
            _ => None,
        });
        given.filter(|data| data.len() == len).ok_or("an input is missing or of another size")
    }

    fn index(&self, name: &str, len: usize, below: usize) -> Result<&[u32], &'static str> {
        let given = self.inputs.iter().find_map(|(n, input)| match input {
            Input::Index(data) if *n == name => Some(*data),
            _ => None,
        });
        let given = given.filter(|data| data.len() == len).ok_or("an index is missing or of another size")?;
        let inside = given.iter().all(|&at| (at as usize) < below);
        if inside { Ok(given) } else { Err("an index names a row that is not there") }
    }
}

/// The value of node `at` to be written, and some values to be read.
fn operands<'a, const N: usize>(
    arena: &'a mut Arena,
    weights: &'a Weights,
    caches: &'a [HalfCache],
    call: &Call,
    at: usize,
    values: [Value; N],
) -> Result<(&'a mut [f32], [Source<'a>; N]), &'static str> {
    let nowhere = Place { start: 0, len: 0 };
    let place = call.place(call.plan.value(at)).ok_or("a value has no place")?;
    let (y, reads) = arena.split(place, values.map(|v| call.place(v).unwrap_or(nowhere)));
    let mut sources = reads.map(Source::F32);
    for (source, value) in sources.iter_mut().zip(values) {
        match call.node(value).op {
            Op::Constant(w) => *source = Source::F32(&weights[call.bound.weight(w)].floats),
            Op::Store { cache, .. } => {
                let rows = call.rows(value) * call.node(value).cols;
                let cache = caches.get(cache.0 as usize).and_then(|c| c.rows().get(..rows));
                *source = Source::F16(cache.ok_or("a cache was read before it was written")?);
            }
            _ => {}
        }
    }
    Ok((y, sources))
}

fn floats(source: Source<'_>) -> Result<&[f32], &'static str> {
    match source {
        Source::F32(x) => Ok(x),
        Source::F16(_) => Err("a cache is read by more than attention"),
    }
}

impl Cpu {
    /// Computes node `at`; how it was done.
    pub(super) fn node(&mut self, call: &Call, at: usize) -> Result<&'static str, &'static str> {
        let Self { machine, arena, weights, caches, states, turns, .. } = self;
        let node = &call.plan.graph().nodes[at];
        let isa = machine.isa;
        macro_rules! operands {
            ($($v:expr),*) => { operands(arena, weights, caches, call, at, [$($v),*])? };
        }
        match node.op {
            Op::Input(name) => {
                let (y, []) = operands!();
                y.copy_from_slice(call.matrix(name, y.len())?);
            }
            Op::Constant(_) => {}
            Op::Embed(table) => {
                let table = &weights[call.bound.weight(table)];
                let (y, []) = operands!();
                let ids = call.index("ids", y.len() / node.cols.max(1), table.rows)?;
                for (y, &id) in y.chunks_exact_mut(node.cols).zip(ids) {
                    blocks::dequantise(table.ggml_type, table.row(id as usize), y);
                }
            }
            Op::Linear { x: value, weight, bias, act } => {
                let weight = &weights[call.bound.weight(weight)];
                let bias = bias.map(|b| &weights[call.bound.weight(b)].floats[..]);
                let (y, [x]) = operands!(value);
                let x = floats(x)?;
                return Ok(Linear { value, x, weight, bias, act, y }.run(machine));
            }
            Op::Norm { x, kind, weight, bias, eps, groups } => {
                let bias = bias.map(|b| &weights[call.bound.weight(b)].floats[..]);
                let weight = weight.map(|w| &weights[call.bound.weight(w)].floats[..]);
                let (y, [x]) = operands!(x);
                let (x, len) = (floats(x)?, node.cols / groups);
                machine.by_rows(y, node.cols, &|part, y| {
                    isa.run(Norm { x: &x[part], y, kind, len, weight, bias, eps });
                });
            }
            Op::Rope { x, heads, turn } => {
                let (y, [x]) = operands!(x);
                let x = floats(x)?;
                let (rows, dim) = (x.len() / node.cols.max(1), node.cols / heads);
                let factors = turn.factors.map(|w| (call.bound.weight(w), &weights[call.bound.weight(w)].floats[..]));
                let table = turns.rows(turn, factors, call.live.position, rows);
                let width = table.len() / rows.max(1);
                machine.by_rows(y, node.cols, &|part, y| {
                    let table = &table[part.start / node.cols * width..part.end / node.cols * width];
                    isa.run(Rope { x: &x[part], y, kind: turn.kind, heads, dim, turned: turn.turned, table });
                });
            }
            Op::Store { x, cache } => {
                let x = call.place(x).ok_or("what is stored has no place")?;
                let at = cache.0 as usize;
                if caches.len() <= at {
                    caches.resize_with(at + 1, HalfCache::default);
                }
                let cache = &mut caches[at];
                if cache.rows().len() < call.live.position * node.cols {
                    return Err("rows are stored after a gap");
                }
                cache.store(isa, call.live.position, node.cols, arena.read(x));
            }
            Op::Attend { q, k, v, heads, kv_heads, scale, mask } => {
                let (rows, keys) = (call.rows(q), call.rows(k));
                let bytes = call.bound.in_bytes.then(|| isa.dot());
                let shape = Shape { rows, keys, heads, kv_heads, dim: node.cols / heads, scale, mask, bytes };
                let (y, [q, k, v]) = operands!(q, k, v);
                if let Mask::Windows(each) = mask {
                    let (q, k, v) = (floats(q)?, floats(k)?, floats(v)?);
                    let (own, kv) = (each * node.cols, each * node.cols / heads * kv_heads);
                    machine.by_rows(y, own, &|part, y| {
                        let keys = part.start / own * kv..part.end / own * kv;
                        windows::attend(&shape, [&q[part], &k[keys.clone()], &v[keys]], y);
                    });
                    return Ok("f32");
                }
                machine.attend(&Attention { shape, q: floats(q)?, k, v }, y);
                return Ok(if shape.in_bytes().is_some() { "int8" } else { "f32" });
            }
            Op::Convolve { x, weight, state } => {
                let (weight, cols) = (&weights[call.bound.weight(weight)], node.cols);
                let before = states.at(state, (weight.cols - 1) * cols, call.live.position)?;
                let (y, [x]) = operands!(x);
                let (x, taps) = (floats(x)?, &weight.floats);
                machine.by_rows(y, cols, &|part, y| {
                    isa.run(Convolve { x, before, weight: taps, cols, first: part.start / cols, y });
                });
                convolve::advance(before, x);
            }
            Op::Delta { q, k, v, step, beta, rate, heads, key_heads, state } => {
                let (rows, key) = (call.rows(v), call.node(k).cols / key_heads);
                let shape = delta::Shape { rows, heads, key_heads, key, value: node.cols / heads };
                let state = states.at(state, shape.state_len(), call.live.position)?;
                let rate = &weights[call.bound.weight(rate)].floats;
                let (y, [q, k, v, step, beta]) = operands!(q, k, v, step, beta);
                let (q, k, v, step, beta) = (floats(q)?, floats(k)?, floats(v)?, floats(step)?, floats(beta)?);
                machine.delta(&delta::Call { shape, q, k, v, step, beta, rate }, state, y);
            }
            Op::Add(a, b) => {
                let (y, [a, b]) = operands!(a, b);
                let (a, b) = (floats(a)?, floats(b)?);
                machine.by_rows(y, node.cols, &|part, y| {
                    isa.run(activate::Add { a: &a[part.clone()], b: &b[part], y });
                });
            }
            Op::Gate { a, b, act } => {
                let (y, [a, b]) = operands!(a, b);
                let (a, b) = (floats(a)?, floats(b)?);
                machine.by_rows(y, node.cols, &|part, y| {
                    isa.run(Gate { a: &a[part.clone()], b: &b[part], y, act });
                });
            }
            Op::Scale { x, factor } => {
                let (y, [x]) = operands!(x);
                let x = floats(x)?;
                machine.by_rows(y, node.cols, &|part, y| isa.run(activate::Scale { x: &x[part], y, factor }));
            }
            Op::Act { x, act } => {
                let (y, [x]) = operands!(x);
                let x = floats(x)?;
                machine.by_rows(y, node.cols, &|part, y| isa.run(Activate { x: &x[part], y, act }));
            }
            Op::Rows { x, index } => {
                let rows = call.rows(x);
                let (y, [x]) = operands!(x);
                let x = floats(x)?;
                let index = call.index(index, y.len() / node.cols.max(1), rows)?;
                for (y, &row) in y.chunks_exact_mut(node.cols).zip(index) {
                    y.copy_from_slice(&x[row as usize * node.cols..][..node.cols]);
                }
            }
            Op::Columns { x, groups, start, len } => {
                let group = call.node(x).cols / groups;
                let (y, [x]) = operands!(x);
                let x = floats(x)?;
                machine.by_rows(y, node.cols, &|part, y| {
                    for (y, x) in y.chunks_exact_mut(len).zip(x[part.start / len * group..].chunks_exact(group)) {
                        y.copy_from_slice(&x[start..start + len]);
                    }
                });
            }
            Op::Fold { x, rows: _ } => {
                // Rows in a row are side by side already.
                let (y, [x]) = operands!(x);
                y.copy_from_slice(floats(x)?);
            }
            Op::Concat(a, b) => {
                let (y, [a, b]) = operands!(a, b);
                let (a, b) = (floats(a)?, floats(b)?);
                let (first, rest) = y.split_at_mut(a.len());
                first.copy_from_slice(a);
                rest.copy_from_slice(b);
            }
            Op::TopK { x, k } => {
                let cols = call.node(x).cols;
                let (y, [x]) = operands!(x);
                isa.run(TopK { x: floats(x)?, cols, y, k });
            }
        }
        Ok("f32")
    }
}
