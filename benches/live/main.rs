//! `bench-live`: how long a line takes from Terraform's write to everybody who watches the run in a browser.
//!
//! It starts the portal as it is, deploys a module that prints the time again and again, and watches the run's events over
//! HTTP as browsers do. `README.md` of this directory's parent says how it measures.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod browser;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use portal::config::{Options as PortalOptions, RunOptions};
use rad_core::catalog::CatalogSort;
use rad_core::id::RunId;
use rad_core::module::Values;
use rad_core::platform::{Actor, Selection};
use rad_core::repo::RepoConnection;
use tokio::time::timeout;
use uuid::Uuid;

use self::browser::Browser;

/// A module that prints the time again and again.
const MODULE: &str = r#"variable "lines" { type = number }
variable "public_access" { default = true }
resource "terraform_data" "clock" {
  provisioner "local-exec" {
    command = "i=0; while [ $i -lt ${var.lines} ]; do echo stamp=$(date +%s%N)=; sleep 0.02; i=$((i+1)); done"
  }
}
"#;

/// Measures the way of a log line to the browser.
#[derive(Debug, Parser)]
struct Options {
    /// How many watch the run at the same time.
    #[arg(long, value_delimiter = ',', default_value = "1,50,200")]
    watchers: Vec<usize>,
    /// How many lines the module prints, one every 20 ms and what printing takes.
    #[arg(long, default_value_t = 500)]
    lines: u32,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let data = root.path().join("data");
    let config = PortalOptions {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: Some(data.clone()),
        runs: RunOptions {
            terraform: std::env::var_os("RAD_TERRAFORM").map(Into::into),
            ..RunOptions::default()
        },
        no_demo: Some(true),
        ..PortalOptions::default()
    };
    let portal = portal::start(config.check()?).await?;
    make_repository(&data.join("repos").join("clock"))?;
    let browser = Browser::sign_in(&portal).await?;
    let admin = portal.platform().actor(browser.own_account().await?).await?;
    publish(&admin).await?;
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>9} {:>11}",
        "watchers", "p50 ms", "p90 ms", "p99 ms", "max ms", "lines seen"
    );
    for count in &options.watchers {
        let run = deploy(&admin, options.lines).await?;
        wait_for_lines(&admin, run).await?;
        let mut delays = browser.watch(run, *count).await?;
        ensure!(delays.len() > *count, "no line came while all were watching: print more of them");
        delays.sort_unstable();
        let at = |percent: usize| delays[(delays.len() - 1) * percent / 100] as f64 / 1000.0;
        println!(
            "{count:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>11}",
            at(50),
            at(90),
            at(99),
            at(100),
            delays.len()
        );
    }
    portal.close().await
}

/// A local repository with the module.
fn make_repository(path: &Path) -> anyhow::Result<()> {
    let module = path.join("clock");
    std::fs::create_dir_all(&module)?;
    std::fs::write(module.join("main.tf"), MODULE)?;
    let steps: [&[&str]; 3] = [
        &["init", "--quiet", "--initial-branch=main"],
        &["add", "."],
        &[
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@example.com",
            "commit",
            "--quiet",
            "--message=clock",
        ],
    ];
    for step in steps {
        let done = Command::new("git").arg("-C").arg(path).args(step).status()?;
        ensure!(done.success(), "git {} failed", step.join(" "));
    }
    Ok(())
}

/// Publishes the module for the platform.
async fn publish(admin: &Actor) -> anyhow::Result<()> {
    let connection = RepoConnection { repository: "clock".to_owned(), branch: None, sub_dir: String::new() };
    admin.connect(Some(connection)).await?;
    let selection = Selection { modules: BTreeSet::from(["clock".to_owned()]), ..Selection::default() };
    let plan = admin.plan_sync(&selection).await?;
    admin.apply_sync(&selection, &plan.commit, plan.version).await?;
    Ok(())
}

/// Deploys the module, and gives its run.
async fn deploy(admin: &Actor, lines: u32) -> anyhow::Result<RunId> {
    let found = admin.search_modules(true, "clock", CatalogSort::Name, None).await?;
    let module = found.items.first().context("the module is not on offer")?.listing.id;
    let values = Values::from_iter([("lines".to_owned(), lines.into())]);
    Ok(admin.deploy(module, &values, Uuid::new_v4()).await?.latest_run)
}

/// Waits until the module prints.
async fn wait_for_lines(admin: &Actor, run: RunId) -> anyhow::Result<()> {
    let mut follower = admin.follow(run, 0).await?;
    loop {
        let news = timeout(Duration::from_secs(60), follower.next())
            .await
            .context("the module prints nothing")??;
        if String::from_utf8_lossy(&news.log).contains("stamp=") {
            return Ok(());
        }
        ensure!(!news.is_over, "the run ended before it printed a line");
    }
}
