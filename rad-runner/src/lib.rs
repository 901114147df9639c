//! Carries deployments out, on OpenTofu or Terraform.
#![doc = include_str!("../README.md")]

pub mod store;
pub mod terraform;
pub mod worker;

#[cfg(feature = "kubernetes")]
pub use terraform::kubernetes;
