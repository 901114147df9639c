//! `explain`: one charge, back to its payments and on to what became of it.

use rad_core::revenue::EntryId;

use super::Command;
use crate::explanation::{Explanation, explain};
use crate::failure::Failure;

/// Explain a charge: its lots, payments, rates and rules, and what became of it since.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// A file or database with the entries.
    pub source: String,
    /// The charge: the account, a colon, and the number of the entry that captured it.
    #[arg(long, value_name = "ACCOUNT:SEQ")]
    pub charge: EntryId,
}

impl Command for Explain {
    type Report = Explanation;

    fn run(&self) -> Result<Explanation, Failure> {
        explain(&self.source, self.charge)
    }
}
