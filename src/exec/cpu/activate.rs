//! Element by element: activations, gates, sums.

use super::{
    math::{Constant, Constants},
    simd::{Kernel, Simd},
};
use crate::graph::Act;

/// act(v), with an error below 2⁻²²·|v|, of at least 1 for the two that are not 0 at 0.
#[inline(always)]
pub unsafe fn act<S: Simd>(act: Act, v: S::V, c: Constants) -> S::V {
    unsafe {
        match act {
            Act::Silu => sigmoid_times::<S>(v, S::mul(v, c.get::<S>(Constant::MinusLog2E)), c),
            Act::GeluTanh => {
                let factor = S::fma(S::mul(v, v), c.get::<S>(Constant::TanhCubed), c.get::<S>(Constant::Tanh));
                sigmoid_times::<S>(v, S::mul(v, factor), c)
            }
            Act::GeluErf => {
                let size = S::abs(v);
                S::sub(S::max(v, S::zero()), S::mul(size, c.normal_tail::<S>(size)))
            }
            Act::GeluQuick => sigmoid_times::<S>(v, S::mul(v, c.get::<S>(Constant::Quick)), c),
            Act::Sigmoid => {
                sigmoid_times::<S>(c.get::<S>(Constant::One), S::mul(v, c.get::<S>(Constant::MinusLog2E)), c)
            }
            Act::Softplus => {
                let small = c.exp2::<S>(S::mul(S::abs(v), c.get::<S>(Constant::MinusLog2E)));
                S::add(S::max(v, S::zero()), c.ln_1p::<S>(small))
            }
        }
    }
}

/// v / (1 + 2ᵗ).
#[inline(always)]
unsafe fn sigmoid_times<S: Simd>(v: S::V, t: S::V, c: Constants) -> S::V {
    unsafe { S::div(v, S::add(c.get::<S>(Constant::One), c.exp2::<S>(t))) }
}

/// Four vectors at once, so that their long chains of instructions overlap.
#[inline(always)]
unsafe fn act4<S: Simd>(act: Act, mut v: [S::V; 4], c: Constants) -> [S::V; 4] {
    macro_rules! each {
        ($act:expr) => {{
            for v in &mut v {
                *v = unsafe { self::act::<S>($act, *v, c) };
            }
        }};
    }
    match act {
        Act::Silu => each!(Act::Silu),
        Act::GeluTanh => each!(Act::GeluTanh),
        Act::GeluErf => each!(Act::GeluErf),
        Act::GeluQuick => each!(Act::GeluQuick),
        Act::Sigmoid => each!(Act::Sigmoid),
        Act::Softplus => each!(Act::Softplus),
    }
    v
}

/// y = act(x).
pub struct Activate<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub act: Act,
}

/// y = act(a)·b, or a·b.
pub struct Gate<'a> {
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub y: &'a mut [f32],
    pub act: Option<Act>,
}

/// y = a + b.
pub struct Add<'a> {
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub y: &'a mut [f32],
}

/// y = x·factor.
pub struct Scale<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub factor: f32,
}

/// y = act(y + bias): what a linear layer does to its sums, on a run of one row's columns.
pub struct Finish<'a> {
    pub y: &'a mut [f32],
    pub bias: Option<&'a [f32]>,
    pub act: Option<Act>,
}

/// What becomes of four vectors of `a` and of `b`.
trait Elements {
    unsafe fn of<S: Simd>(&self, a: [S::V; 4], b: [S::V; 4]) -> [S::V; 4];
}

struct Acted(Act, Constants);

impl Elements for Acted {
    #[inline(always)]
    unsafe fn of<S: Simd>(&self, a: [S::V; 4], _: [S::V; 4]) -> [S::V; 4] {
        unsafe { act4::<S>(self.0, a, self.1) }
    }
}

struct Gated(Option<Act>, Constants);

impl Elements for Gated {
    #[inline(always)]
    unsafe fn of<S: Simd>(&self, a: [S::V; 4], b: [S::V; 4]) -> [S::V; 4] {
        unsafe {
            let a = match self.0 {
                Some(act) => act4::<S>(act, a, self.1),
                None => a,
            };
            [S::mul(a[0], b[0]), S::mul(a[1], b[1]), S::mul(a[2], b[2]), S::mul(a[3], b[3])]
        }
    }
}

struct Scaled(f32);

impl Elements for Scaled {
    #[inline(always)]
    unsafe fn of<S: Simd>(&self, a: [S::V; 4], _: [S::V; 4]) -> [S::V; 4] {
        unsafe {
            let by = S::splat(self.0);
            [S::mul(a[0], by), S::mul(a[1], by), S::mul(a[2], by), S::mul(a[3], by)]
        }
    }
}

/// The sum, and what an activation makes of it.
struct Sum(Option<Act>, Constants);

impl Elements for Sum {
    #[inline(always)]
    unsafe fn of<S: Simd>(&self, a: [S::V; 4], b: [S::V; 4]) -> [S::V; 4] {
        unsafe {
            let sum = [S::add(a[0], b[0]), S::add(a[1], b[1]), S::add(a[2], b[2]), S::add(a[3], b[3])];
            match self.0 {
                Some(act) => act4::<S>(act, sum, self.1),
                None => sum,
            }
        }
    }
}

/// Sixteen elements at a time; the last few by way of a whole sixteen. `y` may be `a` or `b`.
#[inline(always)]
unsafe fn each<S: Simd, E: Elements>(of: E, a: *const f32, b: *const f32, y: *mut f32, len: usize) {
    unsafe {
        let whole = len / 16 * 16;
        for at in (0..whole).step_by(16) {
            sixteen::<S, E>(&of, a.add(at), b.add(at), y.add(at));
        }
        let rest = len - whole;
        if rest > 0 {
            let (mut last_a, mut last_b) = ([0f32; 16], [0f32; 16]);
            last_a.as_mut_ptr().copy_from_nonoverlapping(a.add(whole), rest);
            last_b.as_mut_ptr().copy_from_nonoverlapping(b.add(whole), rest);
            sixteen::<S, E>(&of, last_a.as_ptr(), last_b.as_ptr(), last_a.as_mut_ptr());
            y.add(whole).copy_from_nonoverlapping(last_a.as_ptr(), rest);
        }
    }
}

#[inline(always)]
unsafe fn sixteen<S: Simd, E: Elements>(of: &E, a: *const f32, b: *const f32, y: *mut f32) {
    unsafe {
        let a = [S::load(a), S::load(a.add(4)), S::load(a.add(8)), S::load(a.add(12))];
        let b = [S::load(b), S::load(b.add(4)), S::load(b.add(8)), S::load(b.add(12))];
        let [p, q, r, s] = of.of::<S>(a, b);
        S::store(y, p);
        S::store(y.add(4), q);
        S::store(y.add(8), r);
        S::store(y.add(12), s);
    }
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let x = self.x[..self.y.len()].as_ptr();
        unsafe { each::<S, _>(Acted(self.act, Constants::new()), x, x, self.y.as_mut_ptr(), self.y.len()) }
    }
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.y.len();
        let (a, b) = (self.a[..len].as_ptr(), self.b[..len].as_ptr());
        unsafe { each::<S, _>(Gated(self.act, Constants::new()), a, b, self.y.as_mut_ptr(), len) }
    }
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.y.len();
        let (a, b) = (self.a[..len].as_ptr(), self.b[..len].as_ptr());
        unsafe { each::<S, _>(Sum(None, Constants::new()), a, b, self.y.as_mut_ptr(), len) }
    }
}

impl Kernel for Scale<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let x = self.x[..self.y.len()].as_ptr();
        unsafe { each::<S, _>(Scaled(self.factor), x, x, self.y.as_mut_ptr(), self.y.len()) }
    }
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (y, len) = (self.y.as_mut_ptr(), self.y.len());
        unsafe {
            match (self.bias, self.act) {
                (Some(bias), act) => each::<S, _>(Sum(act, Constants::new()), y, bias[..len].as_ptr(), y, len),
                (None, Some(act)) => each::<S, _>(Acted(act, Constants::new()), y, y, y, len),
                (None, None) => {}
            }
        }
    }
}
