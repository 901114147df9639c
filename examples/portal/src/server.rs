//! Starting and closing the portal: backends, first start, routes, worker, sweeps.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use rad_core::checkpoint::PublicKey;
use rad_core::platform::{Operations, Platform};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::app;
use crate::assemble::{Assembly, assemble, checkpointer};
use crate::checkpoints::{Books, Checkpointer};
use crate::config::Config;
use crate::first_start::{FirstAccount, first_start};
use crate::pages::webhooks;
use crate::password::Passwords;
use crate::schedule::repeat;
use crate::sign_in::SignIn;
use crate::state::{App, Parts};
use crate::watcher::watch;

/// How long open requests may go on once the portal closes.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// How often a portal sweeps whose workers are processes of their own.
const SWEEPS: Duration = Duration::from_secs(1);

/// A portal that is running.
#[derive(Debug)]
pub struct Portal {
    address: SocketAddr,
    url: String,
    platform: Platform,
    first_accounts: Vec<FirstAccount>,
    closing: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    /// Carries deployments out, or sweeps up after those that do.
    worker: JoinHandle<()>,
    checkpoint_key: PublicKey,
    checkpointer: JoinHandle<Checkpointer>,
    watcher: Option<JoinHandle<()>>,
}

/// Starts a portal: opens what it keeps, makes what a first start needs, listens.
///
/// # Errors
/// What is wrong with the configuration or the machine, in a sentence for the operator.
pub async fn start(config: Config) -> anyhow::Result<Portal> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}: choose another with --listen", config.listen))?;
    let address = listener.local_addr()?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let assembly = assemble(&config, &url).await?;
    let Assembly { platform, directory, sessions, sandbox, worker, engine, books } = assembly;
    let checkpointer = checkpointer(&config, books)?;
    let first_accounts = first_start(&config, &platform).await?;
    let posted = platform.operations().post_share_rules().await;
    posted.context("the share rules cannot be brought into the ledger")?;

    let (closing, closed) = watch::channel(false);
    let app = app(App::new(Parts {
        platform: platform.clone(),
        sign_in: SignIn::new(directory, sessions, Passwords::new().await?),
        sandbox: Some(sandbox),
        webhooks: webhooks::routes(platform.operations(), config.github),
        github: config.github,
        engine,
        works: worker.is_some(),
        runs: config.runs,
        base_url: url.clone(),
        closing: closed.clone(),
    }));
    let until = until_closing(closed.clone());
    let worker = match worker {
        Some(worker) => tokio::spawn(async move { worker.run(until).await }),
        None => tokio::spawn(sweep(platform.operations(), until)),
    };
    let checkpoint_key = checkpointer.key();
    let checkpointer = tokio::spawn(checkpointer.run(until_closing(closed.clone())));
    let operations = platform.operations();
    let watched = config.poll_every.map(|every| watch(operations, every, until_closing(closed.clone())));
    let watcher = watched.map(tokio::spawn);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let serve = axum::serve(listener, service).with_graceful_shutdown(until_closing(closed));
    let server = tokio::spawn(std::future::IntoFuture::into_future(serve));
    tracing::info!(%url, data_dir = %config.data_dir.display(), "the portal is open");
    Ok(Portal {
        address,
        url,
        platform,
        first_accounts,
        closing,
        server,
        worker,
        checkpoint_key,
        checkpointer,
        watcher,
    })
}

impl Portal {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where people reach it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The use cases behind it.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Whom checkpoints of its ledger are signed by: for auditors, to be handed to them from elsewhere than the database.
    pub fn checkpoint_key(&self) -> PublicKey {
        self.checkpoint_key
    }

    /// The accounts that this start made, with their passwords; none but at a first start.
    pub fn first_accounts(&self) -> &[FirstAccount] {
        &self.first_accounts
    }

    /// Closes it: takes no more requests, ends live pages, lets running deployments stop and keeps their state, signs the
    /// ledger.
    ///
    /// # Errors
    /// If serving had failed.
    pub async fn close(self) -> anyhow::Result<()> {
        self.closing.send_replace(true);
        self.worker.await?;
        if let Some(watcher) = self.watcher {
            watcher.await?;
        }
        let served = tokio::time::timeout(LAST_REQUESTS, self.server).await;
        // After the last post.
        self.checkpointer.await?.finish().await;
        match served {
            Ok(served) => Ok(served??),
            Err(_) => Ok(()),
        }
    }
}

/// A process that carries out deployments and nothing else.
#[derive(Debug)]
pub struct WorkerProcess {
    closing: watch::Sender<bool>,
    worker: JoinHandle<()>,
    books: Books,
}

/// Starts to carry out what portals over the same database queue.
///
/// # Errors
/// What is wrong with the configuration or the machine, in a sentence for the operator.
pub async fn start_worker(config: Config) -> anyhow::Result<WorkerProcess> {
    let url = config.public_url.clone().unwrap_or_default();
    let Assembly { worker, books, .. } = assemble(&config, &url).await?;
    let worker = worker.context("a process that only serves people has no worker")?;
    let (closing, closed) = watch::channel(false);
    let worker = tokio::spawn(async move { worker.run(until_closing(closed)).await });
    Ok(WorkerProcess { closing, worker, books })
}

impl WorkerProcess {
    /// Takes no more runs, lets those under way stop within their time and keeps their state.
    ///
    /// # Errors
    /// If the worker had failed.
    pub async fn close(self) -> anyhow::Result<()> {
        self.closing.send_replace(true);
        self.worker.await?;
        self.books.drain().await;
        Ok(())
    }
}

/// Does what is due, for as long as the portal is open.
async fn sweep(operations: Operations, until: impl Future<Output = ()>) {
    let once = || async {
        if let Err(error) = operations.sweep().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "a sweep did not come to its end");
        }
    };
    repeat(SWEEPS, until, once).await;
}

async fn until_closing(mut closing: watch::Receiver<bool>) {
    // An error means the portal is gone, which is as good as closing.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// SIGINT (Ctrl-C) and SIGTERM, from when this is made: none that comes during the start is lost.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the process cannot listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
