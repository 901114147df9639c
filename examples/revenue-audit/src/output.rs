//! The one place that prints: results as text or JSON, failures, and the exit code that goes with them.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::Failure;

/// All is well.
pub const FINE: u8 = 0;
/// Something is wrong with the books.
pub const WRONG: u8 = 1;
/// The input or the arguments cannot be read; also what the command line ends with on wrong arguments.
pub const UNREADABLE: u8 = 2;

/// What a command found out. Its JSON is the serialised value.
pub trait Report: Serialize {
    /// Writes it for people to read.
    ///
    /// # Errors
    /// That of the output.
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Whether nothing is wrong with the books.
    fn is_fine(&self) -> bool {
        true
    }
}

/// Prints what a command came to, and says what the program ends with.
///
/// A failure goes to standard error; with `json` also, as `{"error": …}`, to standard output.
pub fn conclude<R: Report>(outcome: Result<R, Failure>, json: bool) -> ExitCode {
    let (printed, code) = match outcome {
        Ok(report) => {
            let code = if report.is_fine() { FINE } else { WRONG };
            let printed = if json { print_json(&report) } else { print_text(&report) };
            (printed, code)
        }
        Err(failure @ Failure::Unread) => (Ok(()), failure.exit_code()),
        Err(failure) => {
            eprintln!("revenue-audit: {failure}");
            let printed = if json { print_json(&Failed { error: &failure }) } else { Ok(()) };
            (printed, failure.exit_code())
        }
    };
    match printed {
        // A reader such as `head` that has seen enough does not change the verdict.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("revenue-audit: the result cannot be written: {error}");
            ExitCode::from(UNREADABLE)
        }
        _ => ExitCode::from(code),
    }
}

/// Writes rows below their headings: the first column to the left, the others to the right.
///
/// # Errors
/// That of the output.
pub fn write_table<const N: usize>(
    out: &mut dyn Write,
    headings: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: [&str; N]| {
        let mut text = String::new();
        for (place, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
            if place == 0 {
                text.push_str(&format!("{cell:<width$}"));
            } else {
                text.push_str(&format!("  {cell:>width$}"));
            }
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(headings)?;
    rows.iter().try_for_each(|row| line(row.each_ref().map(String::as_str)))
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a Failure,
}

fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

fn print_text(report: &impl Report) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    report.write_text(&mut out)?;
    out.flush()
}
