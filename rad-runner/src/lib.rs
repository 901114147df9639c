//! Carries deployments out.
#![doc = include_str!("../README.md")]

pub mod store;
pub mod terraform;
