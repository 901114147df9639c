//! Behaviour of rad-runner through its public surface, with the real engine and the real sandbox.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test panics when something is wrong"
)]

mod broken;
mod credentials;
mod drift;
mod greedy;
mod hostile;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod lifecycle;
mod market;
mod network;
mod outliving;
#[cfg(feature = "postgres")]
mod postgres;
mod standby;
mod store;
mod support;
mod terraform;
mod worker;
