//! Every kernel on every instruction set, as far as this machine has it, against what blocks mean, on hard numbers.

#![allow(clippy::unwrap_used)]

#[path = "kernels/given.rs"]
mod given;

use std::marker::PhantomData;

use given::{Activations, Weights};
use loupe::{
    exec::cpu::{
        blocks::{self, Blocks, Visitor, dequantise},
        gemm::{DEPTH, Multiply, Out, Panel, ROWS, SUMS, Sums, Unpack},
        gemv::Gemv,
        isa::Isa,
        quantise::{GROUP, QuantiseRow, QuantiseTile, Row, TOKENS, Tiles},
        simd::{Dot, Kernel, Portable, Simd},
    },
    gguf::GgmlType,
};

/// The types with kernels, and what their stored codes are at most above the true ones.
const FORMATS: [(GgmlType, f64); 6] = [
    (GgmlType::Q4_0, 8.0),
    (GgmlType::Q5_0, 16.0),
    (GgmlType::Q8_0, 128.0),
    (GgmlType::Q4_K, 0.0),
    (GgmlType::Q5_K, 0.0),
    (GgmlType::Q6_K, 32.0),
];

/// Half a unit in the last place of 1.
const ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;
/// Half the smallest f32.
const SMALLEST: f64 = f32::from_bits(1) as f64 / 2.0;

/// What runs kernels: this machine, or plain Rust in place of one that multiplies bytes.
#[derive(Clone, Copy)]
enum Machine {
    This(Isa),
    Unsigned,
    Signed,
}

impl Machine {
    fn all() -> Vec<Self> {
        Isa::available().into_iter().map(Self::This).chain([Self::Unsigned, Self::Signed]).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::This(isa) => isa.name(),
            Self::Unsigned => "portable, unsigned dot",
            Self::Signed => "portable, signed dot",
        }
    }

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::This(isa) => isa.run(kernel),
            // Plain Rust runs everywhere.
            Self::Unsigned => unsafe { Portable::<1>::enter(kernel) },
            Self::Signed => unsafe { Portable::<2>::enter(kernel) },
        }
    }
}

/// Which way a machine's activations are stored.
struct DotOf;

impl Kernel for DotOf {
    type Output = Dot;

    unsafe fn run<S: Simd>(self) -> Dot {
        S::DOT
    }
}

/// 32 numbers as the quantisers must leave them: the scale and the codes.
fn quantised(x: &[f32]) -> (f32, Vec<i32>) {
    let most = x.iter().fold(0f32, |most, x| most.max(x.abs()));
    let inverse = if most < 1e-30 { 0.0 } else { 127.0 / most };
    (most / 127.0, x.iter().map(|x| (x * inverse).round_ties_even() as i32).collect())
}

fn row_of(machine: Machine, x: &[f32]) -> Row {
    let mut row = Row::default();
    row.reserve(x.len(), machine.run(DotOf));
    machine.run(QuantiseRow { x, to: &mut row });
    row
}

fn tiles_of(machine: Machine, x: &[f32], k: usize) -> Tiles {
    let mut tiles = Tiles::default();
    let (tokens, dot) = (x.len() / k, machine.run(DotOf));
    tiles.reserve(tokens, k, dot);
    for (at, x) in x.chunks(TOKENS * k).enumerate() {
        let group = at * k / GROUP * TOKENS;
        let codes = tiles.codes[group * GROUP * dot.bytes()..].as_mut_ptr();
        let (scales, sums) = (tiles.scales[group..].as_mut_ptr(), tiles.sums[group..].as_mut_ptr());
        machine.run(QuantiseTile { x, k, stride: k, codes, scales, sums });
    }
    tiles
}

/// The number at `at` of codes that take as many bytes as `dot` says.
fn code(codes: &[u8], at: usize, dot: Dot) -> i32 {
    match dot {
        Dot::Pairs => i16::from_le_bytes([codes[2 * at], codes[2 * at + 1]]).into(),
        Dot::Signed | Dot::Unsigned => i32::from(codes[at] as i8),
    }
}

#[test]
fn quantisers_round_to_the_nearest_code() {
    for machine in Machine::all() {
        let dot = machine.run(DotOf);
        for kind in Activations::ALL {
            for (tokens, k) in [(1, 32), (2, 256), (4, 64), (5, 96), (11, 288)] {
                let x = kind.draw(tokens, k);
                let tiles = tiles_of(machine, &x, k);
                for (token, x) in x.chunks(k).enumerate() {
                    let row = row_of(machine, x);
                    for (group, x) in x.chunks(GROUP).enumerate() {
                        let name =
                            format!("{}, {kind:?}, {tokens} × {k}, token {token}, group {group}", machine.name());
                        let (scale, codes) = quantised(x);
                        let sum: i32 = codes.iter().sum();
                        assert_eq!(row.scales[group], scale, "{name}: scale");
                        let of_row = |i| code(&row.codes, group * GROUP + i, dot);
                        assert_eq!((0..GROUP).map(of_row).collect::<Vec<_>>(), codes, "{name}: codes");
                        let halves = [0, 1].map(|half| -codes[16 * half..16 * (half + 1)].iter().sum::<i32>());
                        assert_eq!(row.minus_sums[2 * group..2 * group + 2], halves, "{name}: sums");

                        let start = (token / TOKENS * (k / GROUP) + group) * TOKENS;
                        assert_eq!(tiles.scales[start + token % TOKENS], scale, "{name}: scale in the tile");
                        assert_eq!(tiles.sums[start + token % TOKENS], scale * sum as f32, "{name}: sum in the tile");
                        let lane = 4 / dot.bytes();
                        let of_tile = |i: usize| {
                            let at = start * GROUP + (i / lane * TOKENS + token % TOKENS) * lane + i % lane;
                            let code = code(&tiles.codes, at, dot);
                            // Stored 128 too high, as a byte without a sign.
                            if dot == Dot::Unsigned { i32::from(code as u8) - 128 } else { code }
                        };
                        assert_eq!((0..GROUP).map(of_tile).collect::<Vec<_>>(), codes, "{name}: codes in the tile");
                    }
                }
            }
        }
    }
}

/// One block as the kernels take it apart: codes, scales and minima.
struct Parts<'a, B>(&'a [u8], PhantomData<B>);

impl<B: Blocks> Kernel for Parts<'_, B> {
    type Output = ([i8; 256], [f32; 16], [f32; 16]);

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Self::Output {
        let (mut codes, mut scales, mut minima) = ([0; 256], [0.0; 16], [0.0; 16]);
        unsafe {
            B::codes::<S>(self.0.as_ptr(), codes.as_mut_ptr());
            B::scales::<S>(self.0.as_ptr(), scales.as_mut_ptr(), minima.as_mut_ptr());
        }
        (codes, scales, minima)
    }
}

struct TakeApart(GgmlType);

impl Visitor for TakeApart {
    type Output = ();

    fn visit<B: Blocks>(self) {
        let Self(ggml_type) = self;
        assert_eq!((B::LEN, B::BYTES), (ggml_type.block_len(), ggml_type.block_bytes()));
        for (machine, weights) in
            Machine::all().into_iter().flat_map(|machine| Weights::ALL.map(|weights| (machine, weights)))
        {
            for (at, block) in weights.draw(ggml_type, 8).chunks(B::BYTES).enumerate() {
                let mut want = vec![f32::NAN; B::LEN];
                dequantise(ggml_type, block, &mut want);
                let (codes, scales, minima) = machine.run(Parts::<B>(block, PhantomData));
                for (i, want) in want.into_iter().enumerate() {
                    let got = scales[i / B::GROUP] * f32::from(codes[i]) - minima[i / B::GROUP];
                    let name = format!("{}, {ggml_type:?}, {weights:?}, block {at}, number {i}", machine.name());
                    assert!(got == want || got.is_nan() && want.is_nan(), "{name}: {got}, should be {want}");
                }
            }
        }
    }
}

#[test]
fn blocks_come_apart_as_they_are_meant() {
    for (ggml_type, _) in FORMATS {
        blocks::with(ggml_type, TakeApart(ggml_type)).unwrap();
    }
}

/// A product that is right when it is within a bound.
#[derive(Clone, Copy)]
struct Expected {
    product: f64,
    /// How far off GEMV may be, which adds codes as they are stored and takes their bias off at the end.
    gemv: f64,
    gemm: f64,
}

/// `[tokens, rows]` products of `[tokens, k]` activations and `[rows, k]` weights of format B.
fn expected<B: Blocks>((ggml_type, bias): (GgmlType, f64), weights: &[u8], x: &[f32], k: usize) -> Vec<Expected> {
    // A group adds a term, and another for its minimum or bias. A term is rounded at most three times before it is
    // added, and here the weight once.
    let roundings = (2 * k / B::GROUP + 4) as f64 * ROUNDING * 1.01;
    // The product of two scales may be denormal, and is then multiplied by the sum of a group.
    let underflow = (k / B::GROUP) as f64 * SMALLEST * f64::from(32 * 255 * 127);
    let quantised = x.chunks(GROUP).flat_map(|group| {
        let (scale, codes) = quantised(group);
        codes.into_iter().map(move |code| f64::from(scale) * f64::from(code))
    });
    let quantised: Vec<f64> = quantised.collect();
    let mut all = Vec::new();
    for x in quantised.chunks(k) {
        for row in weights.chunks(k / B::LEN * B::BYTES) {
            let mut numbers = vec![0f32; k];
            dequantise(ggml_type, row, &mut numbers);
            let (mut product, mut plain, mut biased) = (0.0, 0.0, 0.0);
            for (at, block) in row.chunks(B::BYTES).enumerate() {
                let (codes, scales, minima) = Machine::This(Isa::Portable).run(Parts::<B>(block, PhantomData));
                for i in 0..B::LEN {
                    let (w, x) = (f64::from(numbers[at * B::LEN + i]), x[at * B::LEN + i]);
                    let (scale, minimum) =
                        (f64::from(scales[i / B::GROUP]).abs(), f64::from(minima[i / B::GROUP]).abs());
                    let code = f64::from(codes[i]).abs();
                    product += w * x;
                    plain += (scale * code + minimum) * x.abs();
                    biased += (scale * (code + 2.0 * bias) + minimum) * x.abs();
                }
            }
            all.push(Expected { product, gemv: roundings * biased + underflow, gemm: roundings * plain + underflow });
        }
    }
    all
}

/// Takes the sums of one panel's tiles.
struct Place<'a> {
    /// `[tokens, rows]`.
    y: &'a mut [f32],
    rows: usize,
    /// The panel's first row.
    row: usize,
}

impl Out for Place<'_> {
    #[inline(always)]
    unsafe fn take<S: Simd>(&mut self, at: usize, sums: &Sums<S>) {
        for (y, sums) in self.y.chunks_mut(self.rows).skip(at * TOKENS).zip(sums) {
            let mut all = [0f32; ROWS];
            for (at, &sum) in sums.iter().enumerate() {
                unsafe { S::store(all[4 * at..].as_mut_ptr(), sum) };
            }
            let (here, beyond) = all.split_at(ROWS.min(self.rows - self.row));
            y[self.row..][..here.len()].copy_from_slice(here);
            assert!(beyond.iter().all(|y| *y == 0.0), "rows that are missing are zeros");
        }
    }
}

fn gemv<B: Blocks>(machine: Machine, weights: &[u8], x: &[f32], k: usize) -> Vec<f32> {
    let mut y = vec![f32::NAN; weights.len() / B::BYTES * B::LEN / k];
    machine.run(Gemv::<B> { rows: weights.as_ptr(), k, x: &row_of(machine, x), y: &mut y, blocks: PhantomData });
    y
}

fn gemm<B: Blocks>(machine: Machine, panel: &mut Panel, weights: &[u8], x: &[f32], k: usize) -> Vec<f32> {
    let (rows, stride) = (weights.len() / B::BYTES * B::LEN / k, k / B::LEN * B::BYTES);
    let tiles = tiles_of(machine, x, k);
    let mut y = vec![f32::NAN; x.len() / k * rows];
    panel.reserve();
    let tokens = 0..(x.len() / k).div_ceil(TOKENS);
    let mut sums = vec![f32::NAN; tokens.len() * SUMS];
    for row in (0..rows).step_by(ROWS) {
        let (from, count) = (weights[row * stride..].as_ptr(), ROWS.min(rows - row));
        for start in (0..k).step_by(DEPTH) {
            let part = start..k.min(start + DEPTH);
            machine.run(Unpack::<B> { rows: from, count, k, part: part.clone(), to: panel, blocks: PhantomData });
            let out = Place { y: &mut y, rows, row };
            let (x, tiles, sums) = (&tiles, tokens.clone(), &mut sums);
            machine.run(Multiply::<B, _> { panel, k, part, x, tiles, sums, out, blocks: PhantomData });
        }
    }
    y
}

/// Tokens, rows and blocks in a row: none a multiple of the tile but one, and one too deep for a panel.
const SHAPES: [[usize; 3]; 6] = [[1, 1, 1], [2, 7, 2], [3, 12, 1], [5, 13, 3], [10, 29, 5], [4, 14, 35]];

struct Products(GgmlType, f64);

impl Visitor for Products {
    type Output = ();

    fn visit<B: Blocks>(self) {
        let Self(ggml_type, bias) = self;
        let machines = Machine::all();
        // The largest share of the bound that was used, by GEMV and by GEMM.
        let mut worst = vec![[0f64; 2]; machines.len()];
        // One panel for all: what an earlier product left there must not matter.
        let mut panels: Vec<Panel> = machines.iter().map(|_| Panel::default()).collect();
        for [tokens, rows, blocks] in SHAPES {
            for (weights, kind) in Weights::ALL.into_iter().flat_map(|w| Activations::ALL.map(|x| (w, x))) {
                let k = blocks * B::LEN;
                let (bytes, x) = (weights.draw(ggml_type, rows * blocks), kind.draw(tokens, k));
                let want = expected::<B>((ggml_type, bias), &bytes, &x, k);
                for (at, &machine) in machines.iter().enumerate() {
                    let gemv: Vec<f32> = x.chunks(k).flat_map(|x| gemv::<B>(machine, &bytes, x, k)).collect();
                    let gemm = gemm::<B>(machine, &mut panels[at], &bytes, &x, k);
                    for (i, want) in want.iter().enumerate() {
                        for (which, (got, bound)) in
                            [(gemv[i], want.gemv), (gemm[i], want.gemm)].into_iter().enumerate()
                        {
                            let off = (f64::from(got) - want.product).abs() / bound;
                            if !want.product.is_finite() {
                                assert!(
                                    !got.is_finite(),
                                    "{ggml_type:?} on {}: {got} of a damaged block",
                                    machine.name()
                                );
                                continue;
                            }
                            worst[at][which] = worst[at][which].max(off);
                            assert!(
                                off <= 1.0,
                                "{} of {ggml_type:?} on {}: {tokens} × {k} × {rows}, {weights:?} × {kind:?}: product {i} is \
                                 {got}, should be {}, {off} times the bound",
                                ["GEMV", "GEMM"][which],
                                machine.name(),
                                want.product
                            );
                        }
                    }
                }
            }
        }
        for (machine, [gemv, gemm]) in machines.iter().zip(worst) {
            println!("{ggml_type:?} on {}: GEMV {gemv:.2}, GEMM {gemm:.2} of the bound", machine.name());
        }
    }
}

#[test]
fn products_are_exact_but_for_the_rounding_of_sums() {
    for (ggml_type, bias) in FORMATS {
        blocks::with(ggml_type, Products(ggml_type, bias)).unwrap();
    }
}
