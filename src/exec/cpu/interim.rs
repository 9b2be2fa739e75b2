//! A plain stand-in for attention, whose kernel is being written.
pub mod attend {
    use crate::exec::cpu::machine::Machine;
    use crate::graph::Mask;
    use half::f16;
    #[derive(Clone, Copy)]
    pub enum Source<'a> {
        F32(&'a [f32]),
        F16(&'a [u16]),
    }
    impl Source<'_> {
        fn at(&self, i: usize) -> f32 {
            match self {
                Self::F32(x) => x[i],
                Self::F16(x) => f16::from_bits(x[i]).to_f32(),
            }
        }
    }
    #[derive(Default)]
    pub struct Attention;
    pub struct Attend<'a> {
        pub q: &'a [f32],
        pub k: Source<'a>,
        pub v: Source<'a>,
        pub y: &'a mut [f32],
        pub keys: usize,
        pub cols: usize,
        pub heads: usize,
        pub kv_heads: usize,
        pub scale: f32,
        pub mask: Mask,
    }
    impl Attention {
        pub fn run(&mut self, _: &mut Machine, a: Attend) {
            let rows = a.q.len() / a.cols;
            let dim = a.cols / a.heads;
            let kv = dim * a.kv_heads;
            for r in 0..rows {
                for h in 0..a.heads {
                    let at = h / (a.heads / a.kv_heads);
                    let seen = if a.mask == Mask::Causal { a.keys - rows + r + 1 } else { a.keys };
                    let s: Vec<f32> = (0..seen)
                        .map(|j| {
                            (0..dim).map(|d| a.q[r * a.cols + h * dim + d] * a.k.at(j * kv + at * dim + d)).sum::<f32>()
                                * a.scale
                        })
                        .collect();
                    let m = s.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
                    let e: Vec<f32> = s.iter().map(|v| (v - m).exp()).collect();
                    let t: f32 = e.iter().sum();
                    for d in 0..dim {
                        a.y[r * a.cols + h * dim + d] =
                            (0..seen).map(|j| e[j] * a.v.at(j * kv + at * dim + d)).sum::<f32>() / t;
                    }
                }
            }
        }
    }
}
