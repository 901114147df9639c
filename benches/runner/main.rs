//! Measures what the runner costs beside the bare engine: a deployment through it, and `init`, `plan -out` and `apply` of the
//! same module by hand.
//!
//! `make bench-runner` runs it; `README.md` of this directory's parent says how it measures.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use rad_core::id::{DeploymentId, RunId};
use rad_core::module::Values;
use rad_core::runner::{
    Action, Consent, RunEvent, RunJob, RunLimits, RunObserver, RunOutcome, Runner, StopReason,
};
use rad_core::source::SourceTree;
use rad_runner::terraform::{Network, TerraformConfig, TerraformRunner, find_engine};

/// Measures what the runner costs beside the bare engine.
#[derive(Debug, Parser)]
struct Options {
    /// How often each is measured, in turn; medians count.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The engine; otherwise tofu or terraform on the PATH.
    #[arg(long, env = "RAD_TERRAFORM")]
    engine: Option<PathBuf>,
    /// How many resources the larger module has.
    #[arg(long, default_value_t = 200)]
    resources: u32,
}

/// How long both sides wait before they begin: a worker that waits for work has its next sandboxes made.
const PAUSE: Duration = Duration::from_millis(300);

/// Counts what a run reports.
#[derive(Default)]
struct Counter {
    events: AtomicUsize,
}

#[async_trait::async_trait]
impl RunObserver for Counter {
    async fn event(&self, event: RunEvent) -> Result<(), StopReason> {
        self.events.fetch_add(1, Ordering::Relaxed);
        drop(event);
        Ok(())
    }

    async fn stop(&self) -> StopReason {
        std::future::pending().await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let root = tempfile::tempdir()?;
    let engine =
        options.engine.clone().or_else(find_engine).context("no tofu and no terraform on the PATH")?;
    let modules = [
        ("a module without resources", String::new()),
        (
            "a module with many resources",
            format!(
                "resource \"terraform_data\" \"many\" {{\n  count = {}\n  input = count.index\n}}\n",
                options.resources
            ),
        ),
    ];
    println!("medians of {} rounds, {} resources in the larger module\n", options.rounds, options.resources);
    println!("{:<44} {:>10} {:>10} {:>8}", "", "bare ms", "runner ms", "ratio");
    for (network, named) in [(Network::Off, "no network"), (Network::default(), "the internet")] {
        let set_up = |name: String| -> anyhow::Result<TerraformRunner> {
            let config = TerraformConfig::builder(root.path().join(name)).engine(&engine);
            Ok(TerraformRunner::new(config.network(network.clone()).build()?)?)
        };
        let runner = set_up(format!("runs-{}", named.len()))?;
        // As a worker does before its first run.
        runner.clear().await?;
        for (what, text) in &modules {
            let (mut bare, mut ours) = (Vec::new(), Vec::new());
            for _ in 0..options.rounds {
                tokio::time::sleep(PAUSE).await;
                bare.push(by_hand(&engine, text)?);
                tokio::time::sleep(PAUSE).await;
                ours.push(by_runner(&runner, text).await?);
            }
            print_row(&format!("{what}, {named}"), &mut bare, &mut ours);
        }
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            ours.push(by_runner(&runner, "").await?);
        }
        tokio::time::sleep(PAUSE).await;
        for _ in 0..options.rounds {
            bare.push(by_hand(&engine, "")?);
        }
        print_row(&format!("no resources, in a row, {named}"), &mut bare, &mut ours);
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for round in 0..options.rounds {
            let runner = set_up(format!("first-{}-{round}", named.len()))?;
            runner.engine().await?;
            bare.push(by_hand(&engine, "")?);
            ours.push(by_runner(&runner, "").await?);
        }
        print_row(&format!("no resources, nothing made ahead, {named}"), &mut bare, &mut ours);
    }
    Ok(())
}

fn print_row(label: &str, bare: &mut [Duration], ours: &mut [Duration]) {
    let (bare, ours) = (median(bare), median(ours));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    println!("{label:<44} {:>10.0} {:>10.0} {ratio:>8.2}", millis(bare), millis(ours));
}

/// One deployment through the runner.
async fn by_runner(runner: &TerraformRunner, text: &str) -> anyhow::Result<Duration> {
    let mut source = SourceTree::default();
    source.insert_file("main.tf", text.to_owned())?;
    let job = RunJob {
        run: RunId::new(),
        deployment: DeploymentId::new(),
        action: Action::Create,
        source,
        values: Values::new(),
        sensitive: Vec::new(),
        state: None,
        consent: Consent::Everything,
        limits: RunLimits::of(Duration::from_secs(300)),
    };
    let counter = Counter::default();
    let began = Instant::now();
    let outcome = runner.run(job, &counter).await?;
    let took = began.elapsed();
    ensure!(outcome == RunOutcome::Success, "the runner ended with {outcome:?}");
    ensure!(counter.events.load(Ordering::Relaxed) > 0, "the runner reported nothing");
    Ok(took)
}

/// The same by hand, in a fresh directory.
fn by_hand(engine: &Path, text: &str) -> anyhow::Result<Duration> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("main.tf"), text)?;
    let began = Instant::now();
    for arguments in [
        &["init", "-input=false", "-no-color"][..],
        &["plan", "-input=false", "-no-color", "-out=plan.out"],
        &["apply", "-input=false", "-no-color", "plan.out"],
    ] {
        let mut command = Command::new(engine);
        command.args(arguments).current_dir(directory.path()).env("CHECKPOINT_DISABLE", "1");
        let ended =
            command.env("TF_IN_AUTOMATION", "1").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(ended.success(), "{arguments:?} ended with {ended}");
    }
    Ok(began.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
