//! The domain of a marketplace of Terraform modules.
#![doc = include_str!("../README.md")]

pub mod access;
pub mod clock;
pub mod directory;
pub mod error;
pub mod id;
pub mod module;
pub mod money;
pub mod page;
pub mod repo;
pub mod revenue;
pub mod source;
