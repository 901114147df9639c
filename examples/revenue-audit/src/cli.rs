//! The command line: which commands there are, what they share, and what the exit code says.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::Command as _;
use crate::output;

/// Re-derives from the entries of a ledger which credits paid for what, and who earned it.
///
/// Exit code: 0 if all is well, 1 if something is wrong with the books, 2 if the input or the arguments cannot be read.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
struct Cli {
    /// Print the result as one JSON document.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    chosen: Chosen,
}

macro_rules! commands {
    ($($module:ident::$name:ident,)*) => {
        #[derive(Debug, Subcommand)]
        enum Chosen {
            $($name(crate::commands::$module::$name),)*
        }

        impl Chosen {
            fn run(&self, json: bool) -> ExitCode {
                match self {
                    $(Self::$name(command) => output::conclude(command.run(), json),)*
                }
            }
        }
    };
}

commands! {
    generate::Generate,
    replay::Replay,
    verify::Verify,
    export::Export,
    explain::Explain,
    what_if::WhatIf,
    statement::Statement,
    journal::Journal,
    verify_bundle::VerifyBundle,
}

/// Reads the arguments, runs the command, prints what it found.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.chosen.run(cli.json)
}
