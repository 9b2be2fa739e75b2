//! Our own kernels on the processor's cores.

pub mod pool;
