//! The domain of a marketplace of Terraform modules.
#![doc = include_str!("../README.md")]

pub mod access;
pub mod agent;
pub mod catalog;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub mod clock;
mod concurrent;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod deployment;
pub mod directory;
pub mod error;
#[cfg(feature = "export")]
pub mod export;
pub mod id;
pub mod ledger;
pub mod mask;
pub mod memory;
pub mod module;
pub mod money;
pub mod notify;
pub mod page;
pub mod payment;
pub mod platform;
pub mod refine;
pub mod repo;
pub mod revenue;
pub mod runner;
pub mod settings;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod source;
#[cfg(feature = "strategies")]
pub mod strategies;
pub mod verification;
