//! What every backend of a trait must pass, as plain functions for a backend's own tests.
//!
//! Call each from a test with a backend of yours; it panics with the line of the contract that was broken. Unless a
//! function says otherwise, it works on a backend that is in use already and may run more than once on the same one.

pub mod agent;
pub mod archive;
pub mod catalog;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub mod credential;
pub mod delivery;
pub mod deployment;
pub mod directory;
pub mod group;
pub mod ledger;
pub mod notify;
pub mod payment;
pub mod reading;
pub mod refine;
pub mod repo;
pub mod runner;
pub mod settings;
pub mod watch;

use std::fmt::Debug;

pub(crate) use crate::concurrent::side_by_side;

/// The value of a step that the contract says succeeds.
#[track_caller]
pub(crate) fn must<T, E: Debug>(contract: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{contract}: {error:?}"),
    }
}

/// The error of a step that the contract says is refused.
#[track_caller]
pub(crate) fn must_fail<T: Debug, E>(contract: &str, result: Result<T, E>) -> E {
    match result {
        Ok(value) => panic!("{contract}: accepted with {value:?}"),
        Err(error) => error,
    }
}
