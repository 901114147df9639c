//! The program `portal`: reads the command line, starts the portal, closes it on SIGINT or SIGTERM.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use portal::FirstAccount;
use portal::config::{Cli, Config, Role};
use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("RAD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(cli: Cli) -> anyhow::Result<()> {
    let signals = portal::Signals::listen()?;
    let config = cli.resolve()?;
    match config.role {
        Role::Worker => work(config, signals).await,
        Role::All | Role::Serve => serve(config, signals).await,
    }
}

async fn serve(config: Config, signals: portal::Signals) -> anyhow::Result<()> {
    let portal = portal::start(config).await?;
    if let Err(error) = announce(&portal) {
        tracing::warn!(%error, url = portal.url(), "nobody reads what the portal has to say");
    }
    close_when_asked(signals, portal.close()).await
}

async fn work(config: Config, signals: portal::Signals) -> anyhow::Result<()> {
    let worker = portal::start_worker(config).await?;
    tracing::info!("the worker is at work");
    close_when_asked(signals, worker.close()).await
}

/// Waits for a signal, and then for the end; a second signal does not wait for it.
async fn close_when_asked(
    mut signals: portal::Signals,
    close: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    signals.next().await;
    tracing::info!("closing: running deployments get a moment to stop; press again to end at once");
    tokio::select! {
        closed = close => closed,
        () = signals.next() => Ok(()),
    }
}

/// What the operator needs to know, once: for the person who started the program, not for the log.
fn announce(portal: &portal::Portal) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n  The portal is at  {}\n", portal.url())?;
    writeln!(out, "  Checkpoints of its ledger are signed by  {}\n", portal.checkpoint_key())?;
    if portal.first_accounts().is_empty() {
        writeln!(out, "  Passwords were printed at the first start.\n")?;
    } else {
        writeln!(out, "  Accounts made now; the passwords are shown only this once:\n")?;
        for FirstAccount { email, password, purpose } in portal.first_accounts() {
            writeln!(out, "    {email:<24}{:<24}{purpose}", password.expose_secret())?;
        }
        writeln!(out)?;
    }
    out.flush()
}
