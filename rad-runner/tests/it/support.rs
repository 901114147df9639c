//! What the tests share: a runner on the real engine, jobs, an observer that notes what it is told.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rad_core::id::{DeploymentId, RunId};
use rad_core::module::Values;
use rad_core::runner::{
    Action, Consent, Diagnostic, Drift, Output, ResourceProgress, RunEvent, RunJob, RunLimits, RunObserver,
    RunOutcome, Runner, StopReason,
};
use rad_core::source::SourceTree;
use rad_runner::terraform::{
    Network, ProviderMirror, TerraformConfig, TerraformConfigBuilder, TerraformRunner, find_engine,
};
use serde_json::Value;
use tempfile::TempDir;

/// A runner on the engine of this machine, without a network, in a directory of its own.
pub(crate) async fn runner() -> (TempDir, TerraformRunner) {
    runner_with(|config| config).await
}

/// A runner on the engine of this machine, set up further.
pub(crate) async fn runner_with(
    set_up: impl FnOnce(TerraformConfigBuilder) -> TerraformConfigBuilder,
) -> (TempDir, TerraformRunner) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let runner = ready(set_up(without_network(&root))).await;
    (root, runner)
}

fn without_network(root: &TempDir) -> TerraformConfigBuilder {
    TerraformConfig::builder(root.path().join("runs")).network(Network::Off).grace(Duration::from_secs(5))
}

async fn ready(builder: TerraformConfigBuilder) -> TerraformRunner {
    let config = builder.build().expect("the setup is right");
    let runner = TerraformRunner::new(config).expect("the runner starts");
    if let Err(error) = runner.engine().await {
        panic!("these tests need OpenTofu or Terraform and bubblewrap on this machine: {error}");
    }
    runner
}

/// A runner with a cache of providers whose engine is the one of this machine, but for what a shell script does before it; the
/// script finds it in `$real`.
pub(crate) async fn runner_behind(script: &str) -> (TempDir, TerraformRunner) {
    let real = find_engine().expect("OpenTofu or Terraform on this machine");
    let root = tempfile::tempdir().expect("a temporary directory");
    let engine = root.path().join("terraform");
    let text = format!("#!/bin/sh\nreal={}\n{script}\nexec \"$real\" \"$@\"\n", real.display());
    std::fs::write(&engine, text).expect("a script");
    std::fs::set_permissions(&engine, Permissions::from_mode(0o755)).expect("a mode");
    let mut config = without_network(&root).engine(engine).plugin_cache(root.path().join("providers"));
    if let Some(directory) = real.parent().filter(|directory| !directory.starts_with("/usr")) {
        // Runs see it nowhere else.
        config = config.provider_mirror(ProviderMirror::Directory(directory.to_owned()));
    }
    (root, ready(config).await)
}

/// Whether a test can go on that needs something of this host. Where it is missing, the test says that it did not run; where
/// `RAD_REQUIRE_ISOLATION` says that the host is to have everything, it fails.
pub(crate) fn host_has(what: &str, there: bool) -> bool {
    let required = std::env::var("RAD_REQUIRE_ISOLATION").is_ok_and(|required| required == "1");
    assert!(there || !required, "RAD_REQUIRE_ISOLATION is set, but this host has no {what}");
    if !there {
        eprintln!("NOT RUN: this host has no {what}");
    }
    there
}

/// A job over one file of Terraform.
pub(crate) fn job(terraform: &str, values: Value) -> RunJob {
    let mut source = SourceTree::default();
    source.insert_file("main.tf", terraform.to_owned()).expect("a plain path");
    job_of(source, values)
}

/// A job over a module.
pub(crate) fn job_of(source: SourceTree, values: Value) -> RunJob {
    let values: Values = serde_json::from_value(values).expect("values are an object");
    RunJob {
        run: RunId::new(),
        deployment: DeploymentId::new(),
        action: Action::Create,
        source,
        values,
        sensitive: Vec::new(),
        state: None,
        consent: Consent::Everything,
        limits: RunLimits::of(Duration::from_secs(60)),
    }
}

/// The job that destroys what another made.
pub(crate) fn delete(made: &RunJob, state: Option<Bytes>) -> RunJob {
    RunJob { action: Action::Delete, state, ..copy(made) }
}

/// The same job as another run.
pub(crate) fn copy(job: &RunJob) -> RunJob {
    RunJob {
        run: RunId::new(),
        deployment: job.deployment,
        action: job.action,
        source: job.source.clone(),
        values: job.values.clone(),
        sensitive: job.sensitive.clone(),
        state: job.state.clone(),
        consent: job.consent.clone(),
        limits: job.limits,
    }
}

/// A module whose apply runs a shell script.
pub(crate) fn running(script: &str) -> RunJob {
    let text = "variable \"script\" {}\nresource \"terraform_data\" \"evil\" {\n provisioner \"local-exec\" {\n \
                command     = \"sh -c \\\"$SCRIPT\\\"\"\n environment = { SCRIPT = var.script }\n }\n}";
    job(text, serde_json::json!({ "script": script }))
}

/// A module of `examples/modules`.
pub(crate) fn example(name: &str) -> SourceTree {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/modules").join(name);
    let mut source = SourceTree::default();
    for entry in std::fs::read_dir(directory).expect("an example").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a file");
        source.insert_file(entry.file_name().to_string_lossy(), bytes).expect("a plain path");
    }
    source
}

/// A process of this machine.
pub(crate) struct Process {
    pub(crate) id: u32,
    parent: u32,
    /// Its command line, each argument with a zero byte behind it.
    pub(crate) line: String,
}

/// All processes of this machine.
pub(crate) fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let read = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may hold anything; state and parent follow it.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some(Process { id, parent, line: String::from_utf8_lossy(&line).into_owned() })
    };
    entries.filter_map(read).collect()
}

/// Whether a process names a directory on its command line.
pub(crate) fn is_named(path: &Path) -> bool {
    let path = path.display().to_string();
    processes().iter().any(|process| process.line.contains(&path))
}

/// The processes that wait at the inner gates of the sandboxes in a directory for the arguments with which they become engines.
pub(crate) fn at_their_gates(root: &Path) -> Vec<u32> {
    let (all, root) = (processes(), root.display().to_string());
    let parent_of = |process: &Process| all.iter().find(|other| other.id == process.parent);
    let waits = |process: &&Process| {
        let mut above = std::iter::successors(parent_of(process), |process| parent_of(process));
        process.line.starts_with("/bin/sh\0-c\0echo; IFS= read")
            && above.any(|process| process.line.contains(&root))
    };
    all.iter().filter(waits).map(|process| process.id).collect()
}

/// Waits until the sandboxes of a run's three steps wait; their engines.
pub(crate) async fn made_ahead(root: &Path) -> Vec<u32> {
    assert!(becomes(|| at_their_gates(root).len() == 3).await, "at their gates: {:?}", at_their_gates(root));
    at_their_gates(root)
}

/// Whether a `sleep` of so long goes on.
pub(crate) fn is_running(mark: &str) -> bool {
    processes().iter().any(|process| process.line == format!("sleep\0{mark}\0"))
}

/// Notes every event; stops a run only where it is told when.
#[derive(Default)]
pub(crate) struct Notes {
    events: Mutex<Vec<RunEvent>>,
    stops_at: Option<&'static str>,
}

#[async_trait]
impl RunObserver for Notes {
    async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }

    async fn stop(&self) -> StopReason {
        let Some(mark) = self.stops_at else { return std::future::pending().await };
        while !self.log().contains(mark) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        StopReason::Cancelled
    }
}

impl Notes {
    /// Has the run stopped once its log holds this.
    pub(crate) fn stopping_at(mark: &'static str) -> Self {
        Self { stops_at: Some(mark), ..Self::default() }
    }

    pub(crate) fn events(&self) -> Vec<RunEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pick<T>(&self, pick: impl Fn(RunEvent) -> Option<T>) -> Vec<T> {
        self.events().into_iter().filter_map(pick).collect()
    }

    pub(crate) fn log(&self) -> String {
        self.pick(|event| if let RunEvent::Log(text) = event { Some(text) } else { None }).concat()
    }

    pub(crate) fn states(&self) -> Vec<Bytes> {
        self.pick(|event| if let RunEvent::State(state) = event { Some(state) } else { None })
    }

    pub(crate) fn outputs(&self) -> Vec<Output> {
        let all =
            self.pick(|event| if let RunEvent::Outputs(outputs) = event { Some(outputs) } else { None });
        all.into_iter().flatten().collect()
    }

    pub(crate) fn drift(&self) -> Vec<Drift> {
        self.pick(|event| if let RunEvent::Drift(drift) = event { Some(drift) } else { None }).concat()
    }

    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        self.pick(|event| if let RunEvent::Diagnostic(one) = event { Some(one) } else { None })
    }

    pub(crate) fn resources(&self) -> Vec<ResourceProgress> {
        self.pick(|event| if let RunEvent::Resource(one) = event { Some(one) } else { None })
    }
}

/// Waits until something is so, for at most ten seconds.
pub(crate) async fn becomes(what: impl Fn() -> bool) -> bool {
    for _ in 0..500 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    what()
}

/// The directories of runs that are on the disk, that of the one to come among them.
pub(crate) fn directories(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root.join("runs")).expect("a directory of runs").flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Whether no run's directory stays on the disk but that of the one to come, in which no module is laid out.
pub(crate) async fn nothing_left(root: &Path) -> bool {
    let is_to_come = |path: &PathBuf| {
        std::fs::read_dir(path.join("module")).is_ok_and(|mut module| module.next().is_none())
    };
    becomes(|| directories(root).len() <= 1 && directories(root).iter().all(is_to_come)).await
}

/// Plays a job to its end.
pub(crate) async fn play(runner: &dyn Runner, job: RunJob) -> (RunOutcome, Notes) {
    let notes = Notes::default();
    let outcome = runner.run(job, &notes).await.expect("a run of a module is no error");
    (outcome, notes)
}
