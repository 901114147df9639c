//! The domain of a marketplace of Terraform modules.
#![doc = include_str!("../README.md")]

pub mod id;
pub mod source;
