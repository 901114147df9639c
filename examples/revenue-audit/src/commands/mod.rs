//! One module for each command: its arguments, what it does, what it prints.

pub mod explain;
pub mod export;
pub mod generate;
pub mod journal;
pub mod replay;
pub mod statement;
pub mod verify;
pub mod verify_bundle;
pub mod what_if;

use crate::failure::Failure;
use crate::output::Report;

/// A command with its arguments.
pub trait Command {
    /// What it finds out.
    type Report: Report;

    /// Does it. Something wrong with the books that does not keep the command from going on is part of the report.
    ///
    /// # Errors
    /// [`Failure`] if it cannot go on.
    fn run(&self) -> Result<Self::Report, Failure>;
}
