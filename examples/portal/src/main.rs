//! The program `portal`: reads the command line, starts the portal, closes it on SIGINT or SIGTERM.

use std::process::ExitCode;

use clap::Parser;
use portal::config::Cli;
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
    let mut signals = portal::Signals::listen()?;
    let portal = portal::start(cli.resolve()?).await?;
    announce(&portal);
    signals.next().await;
    tracing::info!("closing: running deployments get a moment to stop; press again to end at once");
    tokio::select! {
        closed = portal.close() => closed,
        () = signals.next() => Ok(()),
    }
}

/// What the operator needs to know, once.
#[expect(clippy::print_stdout, reason = "it is for the person who started the program, not for the log")]
fn announce(portal: &portal::Portal) {
    use secrecy::ExposeSecret;

    println!("\n  The portal is at  {}\n", portal.url());
    if portal.first_accounts().is_empty() {
        println!("  Passwords were printed at the first start.\n");
        return;
    }
    println!("  Accounts made now; the passwords are shown only this once:\n");
    for account in portal.first_accounts() {
        println!("    {:<24}{:<24}{}", account.email, account.password.expose_secret(), account.purpose);
    }
    println!();
}
