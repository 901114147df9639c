#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod chain;
pub mod cli;
pub mod commands;
pub mod explanation;
pub mod failure;
pub mod figures;
pub mod fold;
pub mod output;
pub mod period;
pub mod progress;
pub mod revenue;
pub mod source;
pub mod totals;
pub mod what_if;
