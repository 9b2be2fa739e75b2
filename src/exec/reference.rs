//! Every operation on candle tensors in f32: slow, plain, and what the others are compared with.
//!
//! Weights of every GGML type are turned to f32 when they are loaded. A value is dropped after its last reader, so that
//! no more is held at once than the plan's arena says.

mod recurrent;

use std::collections::HashMap;

use candle_core::{
    D, DType, Device, Tensor as Matrix,
    quantized::{GgmlDType, QStorage, QTensor},
};
use web_time::Instant;

use self::recurrent::{Delta, States, convolve};
use super::{Executor, Input};
use crate::{
    error::{Error, Result},
    gguf::{GgmlType, Tensor},
    graph::{Act, Entry, Live, Mask, Node, NormKind, Op, Plan, RopeKind, Trace, Turn, Value, WeightId},
};

/// The reference executor.
#[derive(Default)]
pub struct Reference {
    weights: HashMap<String, Matrix>,
    caches: HashMap<u32, Matrix>,
    states: States,
    outputs: Vec<Matrix>,
}

type Candle<T> = candle_core::Result<T>;

impl Executor for Reference {
    fn load(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        let [rows, cols] = tensor.matrix();
        let weight = dequantise(tensor, rows, cols).map_err(|e| {
            Error::model(format!("The tensor `{name}` could not be read; the file is damaged.")).because(e)
        })?;
        self.weights.insert(name.to_owned(), weight);
        Ok(())
    }

    fn run(&mut self, plan: &Plan, live: &Live, inputs: &[(&str, Input)], mut trace: Option<&mut Trace>) -> Result<()> {
        let nodes = &plan.graph().nodes;
        let mut values: Vec<Option<Matrix>> = vec![None; nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            let start = Instant::now();
            let call = Call { plan, live, inputs, values: &values };
            let value = self
                .node(node, &call)
                .map_err(|e| Error::internal(format!("The step `{}` failed; report this.", node.name)).because(e))?;
            if let Some(trace) = trace.as_deref_mut() {
                trace.entries.push(entry(plan, at, &value, start, trace.keep_values)?);
            }
            values[at] = Some(value);
            for read in node.op.reads() {
                if plan.is_dead_after(read, at) {
                    values[read.index()] = None;
                }
            }
        }
        self.outputs = plan.graph().outputs.iter().filter_map(|v| values[v.index()].take()).collect();
        Ok(())
    }

    fn keep(&mut self, slot: usize) -> Result<()> {
        self.states.keep(slot);
        Ok(())
    }

    fn restore(&mut self, slot: usize) -> Result<()> {
        let restored = self.states.restore(slot);
        restored.then_some(()).ok_or_else(|| Error::internal("A state was restored that was never kept; report this."))
    }

    async fn read(&mut self, at: usize) -> Result<Vec<f32>> {
        let value =
            self.outputs.get(at).ok_or_else(|| Error::internal("A result was read that no run left; report this."))?;
        to_vec(value).map_err(|e| Error::internal("A result could not be read; report this.").because(e))
    }
}

/// What the nodes of one run see.
struct Call<'a> {
    plan: &'a Plan,
    live: &'a Live,
    inputs: &'a [(&'a str, Input<'a>)],
    values: &'a [Option<Matrix>],
}

impl Call<'_> {
    fn value(&self, value: Value) -> Candle<&Matrix> {
        self.values[value.index()].as_ref().ok_or_else(|| fault("a value was dropped before its last reader"))
    }

    fn matrix(&self, name: &str, rows: usize, cols: usize) -> Candle<Matrix> {
        let given = self.inputs.iter().find_map(|(n, input)| match input {
            Input::Matrix(data) if *n == name => Some(*data),
            _ => None,
        });
        Matrix::from_slice(given.ok_or_else(|| fault("an input is missing"))?, (rows, cols), &Device::Cpu)
    }

    fn index(&self, name: &str) -> Candle<Matrix> {
        let given = self.inputs.iter().find_map(|(n, input)| match input {
            Input::Index(data) if *n == name => Some(*data),
            _ => None,
        });
        let given = given.ok_or_else(|| fault("an index is missing"))?;
        Matrix::from_slice(given, given.len(), &Device::Cpu)
    }
}

impl Reference {
    fn node(&mut self, node: &Node, call: &Call) -> Candle<Matrix> {
        let weight = |id: WeightId| {
            let name = &call.plan.graph().weights[id.index()].name;
            self.weights.get(name).ok_or_else(|| fault("a weight is not loaded"))
        };
        let rows = node.rows.resolve(call.live);
        match node.op {
            Op::Input(name) => call.matrix(name, rows, node.cols),
            Op::Constant(id) => weight(id).cloned(),
            Op::Embed(table) => gather(weight(table)?, &call.index("ids")?),
            Op::Linear { x, weight: w, bias, act } => {
                let y = matmul(call.value(x)?, weight(w)?)?;
                let y = match bias {
                    Some(b) => y.broadcast_add(weight(b)?)?,
                    None => y,
                };
                act.map_or(Ok(y.clone()), |act| activate(&y, act))
            }
            Op::Norm { x, kind, weight: w, bias, eps, groups } => {
                let y = normalise(call.value(x)?, kind, eps, groups)?;
                let y = match w {
                    Some(w) => y.broadcast_mul(weight(w)?)?,
                    None => y,
                };
                let y = match bias {
                    Some(b) => y.broadcast_add(weight(b)?)?,
                    None => y,
                };
                y.reshape((rows, node.cols))
            }
            Op::Rope { x, heads, turn } => {
                let factors = turn.factors.map(|w| to_vec(weight(w)?)).transpose()?;
                rope(call.value(x)?, heads, turn, factors.as_deref(), call.live.position)
            }
            Op::Store { x, cache } => {
                let x = call.value(x)?;
                let all = match self.caches.get(&cache.0) {
                    Some(old) if call.live.position > 0 => {
                        Matrix::cat(&[&old.narrow(0, 0, call.live.position)?, x], 0)?
                    }
                    _ => x.clone(),
                };
                self.caches.insert(cache.0, all.clone());
                Ok(all)
            }
            Op::Attend { q, k, v, heads, kv_heads, scale, mask } => {
                attend([call.value(q)?, call.value(k)?, call.value(v)?], heads, kv_heads, scale, mask)
            }
            Op::Convolve { x, weight: w, state } => {
                let ([channels, taps], w) = (call.plan.graph().weights[w.index()].shape, to_vec(weight(w)?)?);
                let before = self.states.at(state, (taps - 1) * channels, call.live.position);
                let before = before.ok_or_else(|| fault("a state was read before it was begun"))?;
                let y = convolve(&to_vec(call.value(x)?)?, &w, channels, before);
                Matrix::from_vec(y, (rows, node.cols), &Device::Cpu)
            }
            Op::Delta { q, k, v, step, beta, rate, heads: _, key_heads, state } => {
                let read = |x: Value| to_vec(call.value(x)?);
                let (q, keys) = (read(q)?, call.value(k)?.dim(1)?);
                let (k, v, step, beta, rate) = (read(k)?, read(v)?, read(step)?, read(beta)?, to_vec(weight(rate)?)?);
                let cols = [keys, node.cols];
                let delta = Delta { q: &q, k: &k, v: &v, step: &step, beta: &beta, rate: &rate, cols, key_heads };
                let state = self.states.at(state, delta.state_len(), call.live.position);
                let y = delta.run(state.ok_or_else(|| fault("a state was read before it was begun"))?);
                Matrix::from_vec(y, (rows, node.cols), &Device::Cpu)
            }
            Op::Add(a, b) => call.value(a)? + call.value(b)?,
            Op::Gate { a, b, act: Some(act) } => activate(call.value(a)?, act)? * call.value(b)?,
            Op::Gate { a, b, act: None } => call.value(a)? * call.value(b)?,
            Op::Scale { x, factor } => call.value(x)?.affine(factor.into(), 0.0),
            Op::Act { x, act } => activate(call.value(x)?, act),
            Op::Rows { x, index } => gather(call.value(x)?, &call.index(index)?),
            Op::Columns { x, groups, start, len } => {
                let x = call.value(x)?;
                let x = x.reshape((rows, groups, x.dim(1)? / groups))?.narrow(2, start, len)?;
                x.contiguous()?.reshape((rows, node.cols))
            }
            Op::Fold { x, .. } => call.value(x)?.reshape((rows, node.cols)),
            Op::Concat(a, b) => join(call.value(a)?, call.value(b)?),
            Op::TopK { x, k } => top_k(call.value(x)?, k),
        }
    }
}

fn fault(message: &str) -> candle_core::Error {
    candle_core::Error::Msg(message.to_owned())
}

fn to_vec(value: &Matrix) -> Candle<Vec<f32>> {
    value.flatten_all()?.to_vec1()
}

fn entry(plan: &Plan, at: usize, value: &Matrix, start: Instant, keep: bool) -> Result<Entry> {
    let failed = |e| Error::internal("A step could not be traced; report this.").because(e);
    let (name, label) = (plan.graph().nodes[at].name.clone(), plan.graph().label(at));
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let shape = value.dims2().map(|(rows, cols)| [rows, cols]).map_err(failed)?;
    let values = keep.then(|| to_vec(value)).transpose().map_err(failed)?;
    Ok(Entry { name, label, how: "candle", shape, ms, values })
}

fn dequantise(tensor: Tensor, rows: usize, cols: usize) -> Candle<Matrix> {
    use GgmlDType as G;
    let ggml = match tensor.ggml_type {
        GgmlType::F32 => G::F32,
        GgmlType::F16 => G::F16,
        GgmlType::BF16 => G::BF16,
        GgmlType::Q4_0 => G::Q4_0,
        GgmlType::Q4_1 => G::Q4_1,
        GgmlType::Q5_0 => G::Q5_0,
        GgmlType::Q5_1 => G::Q5_1,
        GgmlType::Q8_0 => G::Q8_0,
        GgmlType::Q2_K => G::Q2K,
        GgmlType::Q3_K => G::Q3K,
        GgmlType::Q4_K => G::Q4K,
        GgmlType::Q5_K => G::Q5K,
        GgmlType::Q6_K => G::Q6K,
    };
    let storage = QStorage::from_data(tensor.data.into(), &Device::Cpu, ggml)?;
    QTensor::new(storage, (rows, cols))?.dequantize(&Device::Cpu)
}

/// x·Wᵀ, also when x has no rows.
fn matmul(x: &Matrix, weight: &Matrix) -> Candle<Matrix> {
    if x.dim(0)? == 0 {
        return Matrix::zeros((0, weight.dim(0)?), DType::F32, &Device::Cpu);
    }
    x.matmul(&weight.t()?)
}

fn gather(x: &Matrix, index: &Matrix) -> Candle<Matrix> {
    if index.dim(0)? == 0 {
        return Matrix::zeros((0, x.dim(1)?), DType::F32, &Device::Cpu);
    }
    x.index_select(index, 0)
}

fn join(a: &Matrix, b: &Matrix) -> Candle<Matrix> {
    match (a.dim(0)?, b.dim(0)?) {
        (0, _) => Ok(b.clone()),
        (_, 0) => Ok(a.clone()),
        _ => Matrix::cat(&[a, b], 0),
    }
}

fn activate(x: &Matrix, act: Act) -> Candle<Matrix> {
    match act {
        Act::Silu => x.silu(),
        Act::GeluTanh => x.gelu(),
        Act::GeluErf => x.gelu_erf(),
        Act::GeluQuick => x * sigmoid(&x.affine(1.702, 0.0)?)?,
        Act::Sigmoid => sigmoid(x),
        // ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), of which nothing overflows.
        Act::Softplus => x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?,
    }
}

fn sigmoid(x: &Matrix) -> Candle<Matrix> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

/// Rows in groups `[rows, groups, cols/groups]`, each of mean square (and, for layer norms, variance) one.
fn normalise(x: &Matrix, kind: NormKind, eps: f32, groups: usize) -> Candle<Matrix> {
    let (rows, cols) = x.dims2()?;
    let x = x.reshape((rows, groups, cols / groups))?;
    let x = match kind {
        NormKind::Rms => x,
        NormKind::Layer => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
    };
    let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)
}

fn rope(x: &Matrix, heads: usize, turn: Turn, factors: Option<&[f32]>, position: usize) -> Candle<Matrix> {
    let Turn { kind, turned, base, .. } = turn;
    let (rows, cols) = x.dims2()?;
    let dim = cols / heads;
    let angles: Vec<f32> = (position..position + rows)
        .flat_map(|at| {
            let by = move |i: usize| factors.map_or(1.0, |factors| f64::from(factors[i]));
            let turn = move |i: usize| f64::from(base).powf(-2.0 * i as f64 / turned as f64) / by(i);
            (0..turned / 2).map(move |i| (at as f64 * turn(i)) as f32)
        })
        .collect();
    let angles = Matrix::from_vec(angles, (rows, 1, turned / 2), &Device::Cpu)?;
    let (cos, sin) = (angles.cos()?, angles.sin()?);
    let x = x.reshape((rows, heads, dim))?;
    let (head, rest) = (x.narrow(2, 0, turned)?, x.narrow(2, turned, dim - turned)?);
    // Both pairings are one rotation of (a, b); they differ in which channels are a and b.
    let (split, axis) = match kind {
        RopeKind::Pairs => ((rows, heads, turned / 2, 2), 3),
        RopeKind::Halves => ((rows, heads, 2, turned / 2), 2),
    };
    let head = head.contiguous()?.reshape(split)?;
    let (a, b) = (head.narrow(axis, 0, 1)?.squeeze(axis)?, head.narrow(axis, 1, 1)?.squeeze(axis)?);
    let turned_a = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let turned_b = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
    let head = Matrix::stack(&[turned_a, turned_b], axis)?.reshape((rows, heads, turned))?;
    let y = if turned == dim { head } else { Matrix::cat(&[&head, &rest.contiguous()?], 2)? };
    y.reshape((rows, cols))
}

fn attend([q, k, v]: [&Matrix; 3], heads: usize, kv_heads: usize, scale: f32, mask: Mask) -> Candle<Matrix> {
    let (rows, cols) = q.dims2()?;
    if let Mask::Windows(each) = mask {
        let window = |at: usize| {
            let part = |x: &Matrix| x.narrow(0, at * each, each);
            attend([&part(q)?, &part(k)?, &part(v)?], heads, kv_heads, scale, Mask::Full)
        };
        return Matrix::cat(&(0..rows / each).map(window).collect::<Candle<Vec<_>>>()?, 0);
    }
    let keys = k.dim(0)?;
    let (dim, shared) = (cols / heads, heads / kv_heads);
    // The query heads that share a key head are stacked as extra rows of it: [kv_heads, shared·rows, dim].
    let q = q.reshape((rows, kv_heads, shared, dim))?.permute((1, 2, 0, 3))?.contiguous()?;
    let q = q.reshape((kv_heads, shared * rows, dim))?;
    let split = |x: &Matrix| x.reshape((keys, kv_heads, dim))?.transpose(0, 1)?.contiguous();
    let (k, v) = (split(k)?, split(v)?);
    let scores = q.matmul(&k.transpose(1, 2)?.contiguous()?)?.affine(scale.into(), 0.0)?;
    let scores = match mask {
        Mask::Full | Mask::Windows(_) => scores,
        Mask::Causal => {
            let hidden = |at: usize| if at % keys > keys - rows + at / keys { f32::NEG_INFINITY } else { 0.0 };
            let hidden: Vec<f32> = (0..rows * keys).map(hidden).collect();
            let hidden = Matrix::from_vec(hidden, (1, 1, rows, keys), &Device::Cpu)?;
            let scores = scores.reshape((kv_heads, shared, rows, keys))?.broadcast_add(&hidden)?;
            scores.reshape((kv_heads, shared * rows, keys))?
        }
    };
    let largest = scores.max_keepdim(D::Minus1)?;
    let weights = scores.broadcast_sub(&largest)?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    let out = weights.matmul(&v)?.reshape((kv_heads, shared, rows, dim))?;
    out.permute((2, 0, 1, 3))?.contiguous()?.reshape((rows, cols))
}

fn top_k(x: &Matrix, k: usize) -> Candle<Matrix> {
    let rows = x.to_vec2::<f32>()?;
    let best = rows.iter().flat_map(|row| {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
        order.truncate(k);
        order.into_iter().map(|column| column as f32)
    });
    Matrix::from_vec(best.collect(), (rows.len(), k), &Device::Cpu)
}
