//! What python-hcl2 reads of the same modules, and where it differs from ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rad_core::module::Variable;
use rad_core::source::SourceTree;
use serde::Deserialize;

use crate::{Source, native_files, row};

/// The script that asks it, carried in the program so that it runs from anywhere.
const SCRIPT: &str = include_str!("beside.py");

/// What the script prints.
#[derive(Debug, Deserialize)]
struct Report {
    modules: usize,
    variables: usize,
    bytes: usize,
    seconds: f64,
    /// Modules that python-hcl2 cannot read, and why.
    unreadable: Vec<(String, String)>,
    /// Module, variable, what differs, ours, theirs.
    differences: Vec<(String, String, String, String, String)>,
}

/// Writes the modules that are valid to files, has them read, and prints every difference.
pub(crate) fn compare(python: &Path, sources: &[Source], bare: Duration) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut manifests = BTreeMap::new();
    for (number, source) in sources.iter().enumerate() {
        for module in &source.modules {
            let Ok(manifest) = &module.outcome else { continue };
            let name = format!("{number}-{}", module.name);
            write(&source.tree.directory(&module.name), &dir.path().join(&name))?;
            manifests.insert(name, &manifest.variables);
        }
    }
    let report = run(python, dir.path(), &manifests)?;
    row("python-hcl2", Duration::from_secs_f64(report.seconds), report.bytes, Some(bare));
    println!("\n{} modules with {} variables compared with python-hcl2:", report.modules, report.variables);
    for (module, reason) in &report.unreadable {
        println!("  {module}: python-hcl2 cannot read it: {reason}");
    }
    for (module, variable, what, ours, theirs) in &report.differences {
        println!("  {module}, variable {variable}: {what} is {ours}, python-hcl2 says {theirs}");
    }
    println!(
        "  {} differ, {} modules are unreadable to it",
        report.differences.len(),
        report.unreadable.len()
    );
    Ok(())
}

/// Writes what Terraform would read of a directory.
fn write(directory: &SourceTree, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for (name, bytes) in native_files(directory) {
        fs::write(to.join(name), bytes)?;
    }
    Ok(())
}

fn run(python: &Path, dir: &Path, manifests: &BTreeMap<String, &Vec<Variable>>) -> anyhow::Result<Report> {
    fs::write(dir.join("manifests.json"), serde_json::to_vec(manifests)?)?;
    let output = Command::new(python).args(["-c", SCRIPT]).arg(dir).output();
    let output = output.with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
