//! Loops that do one thing as fast as a browser lets it be done: the ceilings that kernels are measured against.
//!
//! Each gives a sum that depends on all it computed, so that nothing is left out. `pages/roofline.mjs` knows how many
//! operations a turn has. Eight to ten chains of sums hide the latency of an instruction and fit the registers that V8 has.

use core::arch::wasm32::*;

/// Ten chains of fused multiply-adds: 80 operations a turn.
#[unsafe(no_mangle)]
pub extern "C" fn fused(turns: u32) -> f32 {
    let (mut x, y) = (f32x4_splat(0.5), f32x4_splat(1e-9));
    let mut sums = [f32x4_splat(0.0); 10];
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = f32x4_relaxed_madd(x, y, *sum);
        }
        // What changes with every turn cannot be hoisted out of the loop.
        x = f32x4_add(x, y);
    }
    f32x4_extract_lane::<0>(sums.into_iter().fold(x, |a, b| f32x4_add(a, b)))
}

/// Eight chains of multiplications and additions: 64 operations a turn.
#[unsafe(no_mangle)]
pub extern "C" fn mul_add(turns: u32) -> f32 {
    let data = [f32x4_splat(0.5); 64];
    let data = core::hint::black_box(&data);
    let y = f32x4_splat(1e-9);
    let mut sums = [f32x4_splat(0.0); 8];
    for turn in 0..turns as usize {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = f32x4_add(f32x4_mul(data[(turn & 7) * 8 + lane], y), *sum);
        }
    }
    f32x4_extract_lane::<0>(sums.into_iter().fold(y, |a, b| f32x4_add(a, b)))
}

/// Ten chains of the relaxed dot product of bytes: 320 operations a turn.
#[unsafe(no_mangle)]
pub extern "C" fn dot_bytes(turns: u32) -> i32 {
    let (mut x, y) = (i8x16_splat(3), i8x16_splat(5));
    let mut sums = [i32x4_splat(0); 10];
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = i32x4_relaxed_dot_i8x16_i7x16_add(x, y, *sum);
        }
        x = v128_xor(x, y);
    }
    i32x4_extract_lane::<0>(sums.into_iter().fold(x, |a, b| i32x4_add(a, b)))
}

/// Eight chains of the dot product of 16-bit pairs, whose operands were widened before: 128 operations a turn.
#[unsafe(no_mangle)]
pub extern "C" fn dot_pairs(turns: u32) -> i32 {
    let data = [i16x8_splat(3); 64];
    let data = core::hint::black_box(&data);
    let y = i16x8_splat(5);
    let mut sums = [i32x4_splat(0); 8];
    for turn in 0..turns as usize {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = i32x4_add(i32x4_dot_i16x8(data[(turn & 7) * 8 + lane], y), *sum);
        }
    }
    i32x4_extract_lane::<0>(sums.into_iter().fold(y, |a, b| i32x4_add(a, b)))
}

/// The same for bytes that both have to be widened for every product, as a loop of dot products without a tile does
/// it: 128 operations a turn.
#[unsafe(no_mangle)]
pub extern "C" fn dot_widened(turns: u32) -> i32 {
    let data = [i8x16_splat(3); 64];
    let data = core::hint::black_box(&data);
    let mut sums = [i32x4_splat(0); 8];
    for turn in 0..turns as usize {
        for (lane, sums) in sums.chunks_exact_mut(2).enumerate() {
            let (a, b) = (data[(turn & 7) * 4 + lane], data[32 + (turn & 7) * 4 + lane]);
            let low = i32x4_dot_i16x8(i16x8_extend_low_i8x16(a), i16x8_extend_low_i8x16(b));
            let high = i32x4_dot_i16x8(i16x8_extend_high_i8x16(a), i16x8_extend_high_i8x16(b));
            (sums[0], sums[1]) = (i32x4_add(sums[0], low), i32x4_add(sums[1], high));
        }
    }
    i32x4_extract_lane::<0>(sums.into_iter().fold(data[0], |a, b| i32x4_add(a, b)))
}

/// Memory to read, its pages written once.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut v128 {
    vec![i32x4_splat(1); bytes / 16].leak().as_mut_ptr()
}

/// Reads `bytes` (a multiple of 128) from `data` on, once.
///
/// # Safety
/// `data` is what [`room`] gave for at least as many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(data: *const v128, bytes: usize) -> i32 {
    // SAFETY: the caller's.
    let data = unsafe { core::slice::from_raw_parts(data, bytes / 16) };
    let mut sums = [i32x4_splat(0); 8];
    for chunk in data.chunks_exact(8) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum = i32x4_add(*sum, *value);
        }
    }
    i32x4_extract_lane::<0>(sums.into_iter().fold(i32x4_splat(0), |a, b| i32x4_add(a, b)))
}
