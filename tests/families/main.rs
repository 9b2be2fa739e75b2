//! Every family against its original: tests/fixtures/families holds tiny models of random weights and what transformers
//! computes with them.

#![allow(clippy::unwrap_used)]

#[path = "../adapter/mod.rs"]
mod adapter;
mod fixture;
mod refused;
mod text;
mod vision;
mod whole;
