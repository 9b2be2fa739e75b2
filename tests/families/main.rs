//! Every family against its original: tests/fixtures/families holds tiny models of random weights and what transformers
//! computes with them.

#![allow(clippy::unwrap_used)]

mod fixture;
mod refused;
mod text;
mod vision;
mod whole;
