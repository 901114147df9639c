//! Runs whose machinery breaks: what they leave is reported, and no secret stays on the disk.

use std::path::PathBuf;

use rad_core::runner::Runner;
use rad_runner::terraform::TerraformRunner;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Notes, becomes, is_running, job, runner_behind};

/// Plays a job with a secret whose machinery breaks in its first step, when `takes_away` took what of its directory; gives that
/// and what was told.
async fn broken(takes_away: &[&str]) -> (TempDir, TerraformRunner, PathBuf, Notes) {
    let sleep = format!("2.{}", std::process::id());
    let (root, runner) = runner_behind(&format!("if [ \"$1\" = init ]; then sleep {sleep}; fi")).await;
    let mut job = job("variable \"key\" {}", json!({ "key": "tr0ub4dor" }));
    job.sensitive = vec!["key".to_owned()];
    let directory = root.path().join("runs").join(job.run.to_string());
    let notes = Notes::default();
    let breaks = async {
        assert!(becomes(|| is_running(&sleep)).await);
        assert!(directory.join("inputs/values.tfvars.json").is_file());
        let left = r#"{"version":4,"serial":9,"lineage":"left","outputs":{},"resources":[]}"#;
        std::fs::write(directory.join("module/errored.tfstate"), left).unwrap();
        for room in takes_away {
            std::fs::rename(directory.join(room), root.path().join(room)).unwrap();
        }
    };
    let (ended, ()) = tokio::join!(runner.run(job, &notes), breaks);
    ended.unwrap_err();
    (root, runner, directory, notes)
}

#[tokio::test]
async fn a_run_whose_machinery_breaks_reports_its_state_and_leaves_nothing() {
    let (_root, _runner, directory, notes) = broken(&["data"]).await;
    let last = notes.states().pop().expect("a state");
    assert!(String::from_utf8_lossy(&last).contains("\"serial\":9"), "{last:?}");
    assert!(becomes(|| !directory.exists()).await, "the values are gone with all else");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_stays_and_the_values_do_not() {
    let (_root, runner, directory, _) = broken(&["data", "module"]).await;
    assert!(becomes(|| !directory.join("inputs").exists()).await, "no value stays");
    assert!(directory.join("state").is_dir());
    runner.clear().await.unwrap();
    assert!(!directory.exists());
}
