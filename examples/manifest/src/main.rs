//! Lists the modules of a directory or Git repository as the platform sees them, or the reasons why it refuses them.
//!
//! It is what a module author runs before publishing, by hand or in a pipeline:
//!
//! ```text
//! manifest . --sub-dir modules
//! manifest ../networks@v1.4 --json
//! manifest ../networks@v1.4 --json-schema
//! ```

mod args;
mod input;
mod report;
mod text;

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use serde::Serialize;

use crate::args::Args;
use crate::report::Report;

/// Some module is invalid.
const INVALID: u8 = 1;
/// There is nothing to list, or it cannot be read; also what clap ends with on wrong arguments.
const UNREADABLE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    let report = match input::read(&args.source, &args.sub_dir) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("manifest: {}", text::plain(&error.to_string()));
            return ExitCode::from(UNREADABLE);
        }
    };
    let invalid = report.invalid();
    match print(report, &args) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("manifest: the result cannot be written: {error}");
            ExitCode::from(UNREADABLE)
        }
        // A reader such as `head` that has seen enough does not change the verdict.
        _ if invalid > 0 => ExitCode::from(INVALID),
        _ => ExitCode::SUCCESS,
    }
}

fn print(report: Report, args: &Args) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json_schema {
        document(&mut out, &report.into_forms())?;
    } else if args.json {
        document(&mut out, &report)?;
    } else {
        text::write(&mut out, &report)?;
    }
    out.flush()
}

fn document(out: &mut impl io::Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}
