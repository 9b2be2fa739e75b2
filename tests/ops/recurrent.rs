//! Operations that remember: any portions are one call, and what was kept comes back.

use loupe::{
    exec::{AnyExecutor, Executor, Input},
    graph::{Builder, Graph, Live, Plan, Rows, StateId},
};

use crate::{close, executors, f64s, noise, weight};

/// Portions of 41 rows: all at once, one by one, and some that are shorter and longer than what is remembered.
const PORTIONS: [&[usize]; 3] = [&[41], &[1; 41], &[2, 1, 30, 3, 5]];

/// Runs rows of each input in portions; the rows of the result.
fn portions(
    executor: &mut AnyExecutor,
    plan: &Plan,
    inputs: &[(&str, &[f32])],
    from: usize,
    rows: &[usize],
) -> Vec<f32> {
    let total = from + rows.iter().sum::<usize>();
    let (mut y, mut position) = (Vec::new(), from);
    for &rows in rows {
        let part = |x: &'_ [f32]| position * x.len() / total..(position + rows) * x.len() / total;
        let given: Vec<_> = inputs.iter().map(|(name, x)| (*name, Input::Matrix(&x[part(x)]))).collect();
        executor.run(plan, &Live { tokens: rows, pictures: 0, position }, &given, None).unwrap();
        y.extend(pollster::block_on(executor.read(0)).unwrap());
        position += rows;
    }
    y
}

/// Every executor, in every portions, twice, so that the second must forget the first.
fn check(name: &str, graph: Graph, inputs: &[(&str, &[f32])], want: &[f64], bound: f64) {
    let plan = Plan::new(graph);
    let cols = want.len() / 41;
    for mut executor in executors() {
        for (at, w) in plan.graph().weights.iter().enumerate() {
            executor.load(&w.name, weight(w.shape[0], w.shape[1], at as u64 + 100)).unwrap();
        }
        let rest = Live { tokens: 1, pictures: 0, position: 5 };
        let first: Vec<_> = inputs.iter().map(|(name, x)| (*name, Input::Matrix(&x[..x.len() / 41]))).collect();
        assert!(executor.run(&plan, &rest, &first, None).is_err(), "{name}: a middle without a beginning");
        for rows in PORTIONS {
            let y = portions(&mut executor, &plan, inputs, 0, rows);
            close(name, &[(executor.description(), y)], want, bound);
        }
        // What was kept after 20 rows goes on from there, whatever came between.
        let head: Vec<_> = inputs.iter().map(|(name, x)| (*name, &x[..x.len() / 41 * 20])).collect();
        portions(&mut executor, &plan, &head, 0, &[20]);
        executor.keep(1).unwrap();
        for _ in 0..2 {
            let y = portions(&mut executor, &plan, inputs, 20, &[21]);
            close(name, &[(executor.description(), y)], &want[20 * cols..], bound);
            executor.restore(1).unwrap();
        }
        assert_eq!(executor.restore(7).unwrap_err().kind(), loupe::ErrorKind::Internal);
    }
}

#[test]
fn a_convolution_reads_the_rows_before() {
    for (cols, taps) in [(6, 4), (16, 3), (70, 5), (33, 2)] {
        let x = noise(20, 41 * cols);
        let mut g = Builder::default();
        let v = g.input("x", Rows::Tokens, cols);
        let w = g.weight("w", [cols, taps]);
        let y = g.convolve(v, w, StateId(3));
        let w = noise(100, cols * taps);
        let tap = |row: usize, col: usize, tap: usize| {
            let from = (row + tap).checked_sub(taps - 1);
            from.map_or(0.0, |row| f64::from(x[row * cols + col]) * f64::from(w[col * taps + tap]))
        };
        let at = |at: usize| (0..taps).map(|i| tap(at / cols, at % cols, i)).sum();
        let want: Vec<f64> = (0..x.len()).map(at).collect();
        check("convolve", g.finish(vec![y]).unwrap(), &[("x", &x)], &want, 1e-6);
    }
}

/// The definition, in f64.
fn delta([q, k, v]: [&[f32]; 3], [step, beta]: [&[f32]; 2], rate: &[f32], key_heads: usize) -> Vec<f64> {
    let [q, k, v, step, beta, rate] = [q, k, v, step, beta, rate].map(f64s);
    let heads = rate.len();
    let rows = beta.len() / heads;
    let (key, value) = (k.len() / rows / key_heads, v.len() / rows / heads);
    let (mut state, mut y) = (vec![vec![0.0; key * value]; heads], Vec::new());
    for row in 0..rows {
        for (head, state) in state.iter_mut().enumerate() {
            let decay = (rate[head] * step[row * heads + head]).exp();
            let from = (row * key_heads + head % key_heads) * key;
            for c in 0..value {
                let column = |i: usize| i * value + c;
                (0..key).for_each(|i| state[column(i)] *= decay);
                let known: f64 = (0..key).map(|i| state[column(i)] * k[from + i]).sum();
                let delta = beta[row * heads + head] * (v[(row * heads + head) * value + c] - known);
                (0..key).for_each(|i| state[column(i)] += k[from + i] * delta);
                y.push((0..key).map(|i| state[column(i)] * q[from + i]).sum());
            }
        }
    }
    y
}

#[test]
fn the_delta_rule_follows_its_definition() {
    for (heads, key_heads, key, value) in [(2, 2, 8, 16), (4, 2, 16, 20), (3, 1, 5, 3), (2, 1, 64, 64)] {
        let positive = |seed: u64, len: usize| noise(seed, len).iter().map(|v| v.abs()).collect::<Vec<_>>();
        // Keys of length one, as models give them: longer ones would not forget what they replace.
        let short =
            |seed: u64| noise(seed, 41 * key_heads * key).iter().map(|v| v / (key as f32).sqrt()).collect::<Vec<_>>();
        let (q, k, v) = (short(21), short(22), noise(23, 41 * heads * value));
        let (step, beta) = (positive(24, 41 * heads), positive(25, 41 * heads));
        let mut g = Builder::default();
        let inputs = [("q", &q, key_heads * key), ("k", &k, key_heads * key), ("v", &v, heads * value)];
        let qkv = inputs.map(|(name, _, cols)| g.input(name, Rows::Tokens, cols));
        let steps = ["step", "beta"].map(|name| g.input(name, Rows::Tokens, heads));
        // A negative rate forgets; half of these are positive, and grow.
        let rate = g.weight("rate", [1, heads]);
        let y = g.delta(qkv, steps, rate, [heads, key_heads], StateId(0));
        let want = delta([&q, &k, &v], [&step, &beta], &noise(100, heads), key_heads);
        let inputs: [(&str, &[f32]); 5] = [("q", &q), ("k", &k), ("v", &v), ("step", &step), ("beta", &beta)];
        check("delta", g.finish(vec![y]).unwrap(), &inputs, &want, 1e-5);
    }
}
