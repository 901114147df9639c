#![doc = include_str!("../README.md")]

pub mod cli;
pub mod commands;
pub mod failure;
pub mod figures;
pub mod fold;
pub mod output;
pub mod period;
pub mod progress;
pub mod revenue;
pub mod source;
pub mod totals;
