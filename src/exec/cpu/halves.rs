//! Numbers of 16 bits: what caches hold, and some weights.

use super::{
    isa::Isa,
    simd::{Kernel, Simd},
};

/// f32 to f16, to the nearest.
pub struct ToHalves<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [u16],
}

/// f16 to f32.
pub struct FromHalves<'a> {
    pub x: &'a [u16],
    pub y: &'a mut [f32],
}

impl Kernel for ToHalves<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let fours = self.x.chunks_exact(4);
        let rest = fours.remainder();
        unsafe {
            let mut to = self.y[..self.x.len()].as_mut_ptr();
            for x in fours {
                S::store64(to, S::f32_to_half(S::load(x.as_ptr())));
                to = to.add(4);
            }
            let (mut last, mut halves) = ([0f32; 4], [0u16; 4]);
            last[..rest.len()].copy_from_slice(rest);
            S::store64(halves.as_mut_ptr(), S::f32_to_half(S::load(last.as_ptr())));
            to.copy_from_nonoverlapping(halves.as_ptr(), rest.len());
        }
    }
}

impl Kernel for FromHalves<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.y.len();
        unsafe { from_halves::<S>(self.x[..len].as_ptr(), self.y.as_mut_ptr(), len) }
    }
}

/// Reads `len` f16 as f32.
#[inline(always)]
pub unsafe fn from_halves<S: Simd>(x: *const u16, y: *mut f32, len: usize) {
    let whole = len / 4 * 4;
    unsafe {
        for at in (0..whole).step_by(4) {
            S::store(y.add(at), S::load_halves(x.add(at)));
        }
        let (mut last, mut halves) = ([0f32; 4], [0u16; 4]);
        halves.as_mut_ptr().copy_from_nonoverlapping(x.add(whole), len - whole);
        S::store(last.as_mut_ptr(), S::load_halves(halves.as_ptr()));
        y.add(whole).copy_from_nonoverlapping(last.as_ptr(), len - whole);
    }
}

/// Rows by which a cache grows.
const STEP: usize = 256;

/// The keys or the values of one layer, kept from call to call.
#[derive(Default)]
pub struct HalfCache {
    rows: Vec<u16>,
}

impl HalfCache {
    /// Writes the rows of x (`[rows, cols]`, cols always the same) at `position`; rows from there on are given up, and
    /// there must be as many before it. Room is made for some hundred rows at a time and never given back, so that
    /// hardly a token allocates.
    pub fn store(&mut self, isa: Isa, position: usize, cols: usize, x: &[f32]) {
        let (from, to) = (position * cols, position * cols + x.len());
        assert!(from <= self.rows.len(), "a cache is written row after row");
        if to > self.rows.capacity() {
            let room = to.next_multiple_of(STEP * cols);
            self.rows.reserve_exact(room - self.rows.len());
        }
        self.rows.resize(to, 0);
        isa.run(ToHalves { x, y: &mut self.rows[from..] });
    }

    /// All rows, `[position + rows of the last call, cols]`.
    pub fn rows(&self) -> &[u16] {
        &self.rows
    }
}
