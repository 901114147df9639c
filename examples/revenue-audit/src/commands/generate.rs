//! `generate`: the books of a made-up market, to try the other commands on.

use std::io::{self, Write};

use rad_core::export::{Record, Recorded};
use rad_core::simulation::{Simulation, SimulationError};
use rad_core::source::Digest;
use serde::Serialize;

use super::Command;
use crate::destination::Destination;
use crate::failure::{Failure, InputError, InputFault};
use crate::output::Report;
use crate::progress::Progress;

/// Write the books of a made-up market over the year 2026; the same seed gives the same file.
#[derive(Debug, clap::Args)]
pub struct Generate {
    /// How many accounts, without the platform's own.
    #[arg(long, default_value_t = 100)]
    pub accounts: u64,
    /// How many entries in all.
    #[arg(long, default_value_t = 10_000)]
    pub entries: u64,
    /// What everything is drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where they go.
    #[command(flatten)]
    pub destination: Destination,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Generated {
    /// The file.
    pub output: String,
    /// How many accounts.
    pub accounts: u64,
    /// How many entries.
    pub entries: u64,
    /// What they were drawn from.
    pub seed: u64,
}

impl Command for Generate {
    type Report = Generated;

    fn run(&self) -> Result<Generated, Failure> {
        let format = self.destination.format()?;
        let simulation = Simulation { accounts: self.accounts, entries: self.entries, seed: self.seed };
        let market = simulation.market().map_err(refused)?;
        let mut file = self.destination.create(format)?;
        let (mut record, mut histories, mut progress) =
            (Record::default(), market.histories(), Progress::new());
        let (mut entries, mut head) = (0, Digest::ZERO);
        while let Some((entry, effect)) = histories.step() {
            if entry.seq == 1 {
                head = Digest::ZERO;
            }
            head = entry.hash(&head);
            record.entry.clone_from(entry);
            record.hash = Some(head);
            record.recorded = (!self.destination.no_recorded).then(|| Recorded::from(effect));
            file.write(&record)?;
            entries += 1;
            progress.note_of(|| Some((entries, self.entries)));
        }
        let output = file.finish()?;
        Ok(Generated { output, accounts: self.accounts, entries, seed: self.seed })
    }
}

impl Report for Generated {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { output, accounts, entries, seed } = self;
        writeln!(
            out,
            "{output}: {entries} entries of {accounts} accounts and the platform's, from seed {seed}"
        )
    }
}

fn refused(error: SimulationError) -> InputError {
    let (source, value, mend) = match error {
        SimulationError::NoAccounts => ("--accounts", 0, "give at least 1".to_owned()),
        SimulationError::TooFewEntries { entries, least, .. } => {
            ("--entries", entries, format!("give at least {least}, or fewer --accounts"))
        }
        SimulationError::TooManyEntries { entries } => {
            ("--entries", entries, format!("give at most {}", Simulation::MOST_ENTRIES))
        }
        _ => ("--entries", 0, "give other numbers".to_owned()),
    };
    let fault = InputFault::Argument { value: value.to_string(), reason: error.to_string(), mend };
    InputError::new(source, fault)
}
