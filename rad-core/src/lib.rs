//! The domain of a marketplace of Terraform modules.
#![doc = include_str!("../README.md")]

pub mod access;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod directory;
pub mod error;
pub mod id;
pub mod memory;
pub mod module;
pub mod money;
pub mod page;
pub mod payment;
pub mod repo;
pub mod revenue;
pub mod settings;
pub mod source;
