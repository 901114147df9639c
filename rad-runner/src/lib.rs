//! Runs OpenTofu and Terraform in a sandbox.
#![doc = include_str!("../README.md")]

pub mod terraform;
