//! Keys and values as panels of quantised weights.

use super::{
    super::{
        super::{
            gemm::{self, ROWS},
            quantise::{self, GROUP},
            sgemm::{F16, F32, Floats},
            simd::{Dot, Kernel, Simd},
        },
        Shape, Source, four_of,
    },
    CHUNK, Head, Part, WIDEST,
};

/// How many keys, evenly spread, tell the mean of all.
const SAMPLE: usize = 32;

/// Packs the keys and values of one head from key `first` on.
pub struct PackHead<'a> {
    pub shape: Shape,
    pub head: usize,
    pub first: usize,
    /// `[keys, kv_heads·dim]`
    pub k: Source<'a>,
    pub v: Source<'a>,
    /// The packed head.
    pub to: *mut f32,
}

impl Kernel for PackHead<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, head, first, k, v, to } = self;
        let at = head * shape.dim;
        let parts = Head::new(&shape, S::DOT);
        unsafe {
            match k {
                Source::F32(k) => keys::<S, F32>(shape, k[at..].as_ptr(), first, parts.keys, to),
                Source::F16(k) => keys::<S, F16>(shape, k[at..].as_ptr(), first, parts.keys, to),
            }
            let to = to.add(parts.keys.len());
            match v {
                Source::F32(v) => values::<S, F32>(shape, v[at..].as_ptr(), first, parts.values, to),
                Source::F16(v) => values::<S, F16>(shape, v[at..].as_ptr(), first, parts.values, to),
            }
        }
    }
}

/// A key in `to`, zeros behind it.
#[inline(always)]
unsafe fn widen<S: Simd, F: Floats>(from: *const F::Number, dim: usize, to: &mut [f32; WIDEST]) {
    unsafe {
        for at in (0..dim).step_by(4) {
            S::store(to.as_mut_ptr().add(at), four_of::<S, F>(from.add(at), dim - at));
        }
    }
}

#[inline(always)]
unsafe fn keys<S: Simd, F: Floats>(shape: Shape, from: *const F::Number, first: usize, part: Part, to: *mut f32) {
    let (keys, dim, stride) = (shape.keys, shape.dim, shape.kv_heads * shape.dim);
    let mut wide = [0f32; WIDEST];
    let mut mean = [0f32; WIDEST];
    let sample = keys.min(SAMPLE);
    for at in 0..sample {
        unsafe {
            widen::<S, F>(from.add(at * keys / sample * stride), dim, &mut wide);
            for at in (0..dim).step_by(4) {
                let share = S::mul(S::load(wide.as_ptr().add(at)), S::splat(1.0 / sample as f32));
                let mean = mean.as_mut_ptr().add(at);
                S::store(mean, S::add(S::load(mean), share));
            }
        }
    }
    for key in (first..keys.min(first + CHUNK)).step_by(ROWS) {
        let mut codes = [[0i8; 256]; ROWS];
        unsafe {
            let (place, scales, start) = part.group(to, key / ROWS, 0);
            for (row, codes) in codes.iter_mut().enumerate() {
                if key + row < keys {
                    widen::<S, F>(from.add((key + row) * stride), dim, &mut wide);
                    for at in (0..dim).step_by(4) {
                        let wide = wide.as_mut_ptr().add(at);
                        S::store(wide, S::sub(S::load(wide), S::load(mean.as_ptr().add(at))));
                    }
                }
                for group in 0..part.groups {
                    let (mut scale, mut both) = (0.0, [S::zero(); 2]);
                    if key + row < keys {
                        (scale, both) = quantise::quantise::<S>(wide.as_ptr().add(group * GROUP));
                    }
                    scales.add(group * ROWS + row).write(scale);
                    S::store(codes.as_mut_ptr().add(group * GROUP), both[0]);
                    S::store(codes.as_mut_ptr().add(group * GROUP + 16), both[1]);
                }
            }
            let mut next = place;
            for sixteen in (0..part.groups * GROUP).step_by(16) {
                next = gemm::interleave::<S>(next, &codes, sixteen);
            }
            if S::DOT == Dot::Unsigned {
                gemm::start::<S>(place, part.groups, GROUP, start);
            }
        }
    }
}

#[inline(always)]
unsafe fn values<S: Simd, F: Floats>(shape: Shape, from: *const F::Number, first: usize, part: Part, to: *mut f32) {
    let (keys, dim, stride) = (shape.keys, shape.dim, shape.kv_heads * shape.dim);
    for panel in 0..part.panels {
        for group in first / GROUP..keys.min(first + CHUNK).div_ceil(GROUP) {
            unsafe {
                let (place, scales, _) = part.group(to, panel, group);
                for vector in 0..ROWS / 4 {
                    let channel = panel * ROWS + 4 * vector;
                    // Nothing is read that is not there, not even to be thrown away.
                    let of = |key: usize| {
                        let count = if group * GROUP + key < keys { dim.saturating_sub(channel) } else { 0 };
                        four_of::<S, F>(from.wrapping_add((group * GROUP + key) * stride + channel), count)
                    };
                    let (mut x, mut most) = ([S::zero(); GROUP], S::zero());
                    for (key, x) in x.iter_mut().enumerate() {
                        *x = of(key);
                        most = S::max(most, S::abs(*x));
                    }
                    let tiny = S::lt(most, S::splat(1e-30));
                    let inverse = S::div(S::splat(127.0), S::select(tiny, S::splat(f32::INFINITY), most));
                    S::store(scales.add(4 * vector), S::mul(most, S::splat(1.0 / 127.0)));
                    for at in 0..GROUP * S::DOT.bytes() / 4 {
                        let code = |i: usize| S::round_i32(S::mul(x[at * 4 / S::DOT.bytes() + i], inverse));
                        let lanes = match S::DOT {
                            Dot::Pairs => S::or(S::and(code(0), S::splat_i32(0xffff)), S::shl_i32::<16>(code(1))),
                            Dot::Signed | Dot::Unsigned => {
                                let byte = |i| S::and(code(i), S::splat_i32(0xff));
                                let low = S::or(byte(0), S::shl_i32::<8>(byte(1)));
                                let high = S::or(byte(2), S::shl_i32::<8>(code(3)));
                                S::or(low, S::shl_i32::<16>(high))
                            }
                        };
                        S::store(place.add(4 * ROWS * at + 16 * vector), lanes);
                    }
                }
            }
        }
    }
}
