//! Which instructions this machine has, found out once.

use super::simd::{Dot, Kernel, Simd};

/// A machine's instructions, as the kernels know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, 16-bit pairs. (In WebAssembly nothing lacks vectors, and every kernel would be compiled once more.)
    #[cfg(not(target_arch = "wasm32"))]
    Portable,
    /// AVX2, FMA, F16C: 16-bit pairs.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 with VNNI in its AVX form.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX2 with VNNI in its AVX-512 form.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// WebAssembly, 16-bit pairs.
    #[cfg(target_arch = "wasm32")]
    Wasm,
    /// Relaxed WebAssembly on a machine whose dot product takes bytes without a sign (x86 with VNNI).
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    WasmUnsigned,
    /// Relaxed WebAssembly on a machine whose dot product takes signed bytes (Arm).
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    WasmSigned,
}

impl Isa {
    /// All that this machine can run, the best first.
    pub fn available() -> Vec<Self> {
        let mut all = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                if is_x86_feature_detected!("avxvnni") {
                    all.push(Self::AvxVnni);
                }
                if is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                {
                    all.push(Self::Avx512Vnni);
                }
                all.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "wasm32")]
        {
            super::simd::fill_halves();
            #[cfg(target_feature = "relaxed-simd")]
            all.extend(relaxed_dot());
            all.push(Self::Wasm);
        }
        #[cfg(not(target_arch = "wasm32"))]
        all.push(Self::Portable);
        all
    }

    /// The best that this machine can run.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// What its dot product multiplies.
    pub fn dot(self) -> Dot {
        struct Ask;
        impl Kernel for Ask {
            type Output = Dot;
            #[inline(always)]
            unsafe fn run<S: Simd>(self) -> Dot {
                S::DOT
            }
        }
        self.run(Ask)
    }

    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "wasm32")]
            Self::Wasm => "simd128",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Self::WasmUnsigned => "relaxed-simd, unsigned dot",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Self::WasmSigned => "relaxed-simd, signed dot",
        }
    }

    /// Runs a kernel with these instructions.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // Values of this type come from `available`, which asked the machine.
        unsafe {
            match self {
                #[cfg(not(target_arch = "wasm32"))]
                Self::Portable => super::simd::Portable::<0>::enter(kernel),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => super::simd::X86::<0>::enter(kernel),
                #[cfg(target_arch = "x86_64")]
                Self::AvxVnni => super::simd::X86::<1>::enter(kernel),
                #[cfg(target_arch = "x86_64")]
                Self::Avx512Vnni => super::simd::X86::<2>::enter(kernel),
                #[cfg(target_arch = "wasm32")]
                Self::Wasm => super::simd::Wasm::<0>::enter(kernel),
                #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
                Self::WasmUnsigned => super::simd::Wasm::<1>::enter(kernel),
                #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
                Self::WasmSigned => super::simd::Wasm::<2>::enter(kernel),
            }
        }
    }
}

/// How this engine's relaxed dot product reads a byte with its top bit set, which the standard leaves open; `None` where
/// it is neither of the two exact ways (x86 without VNNI adds in 16 bits that overflow).
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
fn relaxed_dot() -> Option<Isa> {
    use core::{
        arch::wasm32::{i8x16_splat, i32x4_extract_lane, i32x4_relaxed_dot_i8x16_i7x16_add, i32x4_splat},
        hint::black_box,
    };
    let dot = |a: i8, b: u8| {
        let (a, b) = (black_box(i8x16_splat(a)), black_box(i8x16_splat(b as i8)));
        i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(a, b, black_box(i32x4_splat(1))))
    };
    let cases = [(127i8, 255u8), (-128, 255), (127, 128), (-128, 128), (-1, 200), (93, 127)];
    let reads = |number: fn(u8) -> i32| cases.iter().all(|&(a, b)| dot(a, b) == 4 * i32::from(a) * number(b) + 1);
    if reads(i32::from) {
        return Some(Isa::WasmUnsigned);
    }
    reads(|b| i32::from(b as i8)).then_some(Isa::WasmSigned)
}
