//! Behaviour of rad-core through its public surface.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod agent;
mod export;
mod json_schema;
mod memory;
mod memory_sources;
mod module;
mod platform;
mod revenue;
mod simulation;
