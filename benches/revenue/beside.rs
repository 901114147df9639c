//! DuckDB and Polars over the same columns, in the same run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::measure::Measured;

/// What the two took, and the split they found.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) duckdb: Measured,
    pub(crate) polars: Measured,
    pub(crate) split: Split,
}

/// Awarded and purchased micro-credits charged, by the running number of the module.
pub(crate) type Split = Vec<(i64, i64, i64)>;

/// The script that asks them, carried in the program so that it runs from anywhere.
const SCRIPT: &str = include_str!("beside.py");

impl Beside {
    /// Runs both over the columns in `dir`; they must find the same.
    pub(crate) fn run(python: &Path, dir: &Path, rounds: u32) -> anyhow::Result<Self> {
        let output = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(dir)
            .arg(rounds.to_string())
            .env("POLARS_MAX_THREADS", "1")
            .output()
            .with_context(|| format!("cannot run {}", python.display()))?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout)?;
        let entries = found["entries"].as_u64().context("entries")?;
        let measured = |name: &str| -> anyhow::Result<Measured> {
            let seconds = found[name]["seconds"].as_f64().context("seconds")?;
            Ok(Measured { elapsed: Duration::from_secs_f64(seconds), entries })
        };
        let split = |name: &str| serde_json::from_value::<Split>(found[name]["modules"].clone());
        let (split, other) = (split("duckdb")?, split("polars")?);
        ensure!(split == other, "DuckDB and Polars disagree: {split:?} is not {other:?}");
        Ok(Self { duckdb: measured("duckdb")?, polars: measured("polars")?, split })
    }
}
