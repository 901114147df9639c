//! Running the program.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The JSON on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Runs the program in a directory.
pub(crate) fn audit(directory: &Path, arguments: &[&str]) -> Said {
    let program = env!("CARGO_BIN_EXE_revenue-audit");
    let output = Command::new(program).args(arguments).current_dir(directory).output().expect("it starts");
    Said {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}
