//! Repositories, catalogue and archive of modules.
#![doc = include_str!("../README.md")]

pub mod local;
