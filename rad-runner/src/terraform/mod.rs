//! A [`Runner`] on OpenTofu or Terraform.
//!
//! Each run has a private directory: the module unpacked, the values in a file that only its owner reads, the state.
//! Module code (it can run any program) runs in bubblewrap: it sees that directory and a read-only system, and nothing
//! of the platform. Where there is no sandbox, nothing runs unless the operator allowed it.

mod arguments;
mod carrier;
mod cgroup;
mod config;
mod credentials;
mod drift;
mod enforcement;
mod engine;
mod event;
mod filter;
mod gate;
mod guard;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
mod launcher;
mod layout;
mod leftover;
mod limits;
mod mirror;
mod network;
mod probe;
mod process;
mod progress;
mod report;
mod rlimit;
mod sandbox;
mod session;
mod standby;
mod state;
mod sweeper;
mod text;
mod tree;
mod watchdog;
mod workspace;

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rad_core::error::BackendError;
use rad_core::id::RunId;
use rad_core::runner::{Engine, RunEvent, RunJob, RunObserver, RunOutcome, Runner, RunnerError};
use tokio::sync::{Mutex, OnceCell, RwLock};

pub use config::{ConfigError, TerraformConfig, TerraformConfigBuilder};
pub use credentials::{Credentials, Granted};
pub use enforcement::{Enforcement, Measure};
pub use engine::{INSTALL_PAGE, find_engine};
pub use ipnet::Ipv4Net;
pub use limits::Limits;
pub use mirror::{NoMirror, ProviderMirror};
pub use network::{Internet, Network};

use cgroup::{Cgroups, RunGroup};
use gate::Admission;
use launcher::Launcher;
use leftover::newest_state;
use probe::Probe;
use sandbox::{CacheAccess, Sandbox};
use session::{Session, Shared, machinery};
use standby::{Reserve, Standby};
use state::State;
use sweeper::Sweeper;
use workspace::{Room, Workspace};

/// Carries out runs with OpenTofu or Terraform, isolated by bubblewrap.
///
/// It looks for the engine and tries out the sandbox when first asked, and again until it found them: an engine
/// installed later is found without a restart.
#[derive(Debug)]
pub struct TerraformRunner {
    config: TerraformConfig,
    credentials: Option<Arc<dyn Credentials>>,
    launcher: Arc<Launcher>,
    sweeper: Sweeper,
    /// What the next run will take; gone before what it was made with.
    reserve: Reserve,
    ready: OnceCell<Arc<Ready>>,
    cache: Mutex<()>,
    /// Read by runs, written by [`clear`](Runner::clear).
    under_way: RwLock<()>,
    /// Locked, so that no other process takes this one's runs for leftovers.
    _work_root: File,
}

#[derive(Debug)]
struct Ready {
    engine: Engine,
    sandbox: Sandbox,
    cgroups: Cgroups,
    enforcement: Enforcement,
    launcher: Arc<Launcher>,
    sweeper: Sweeper,
}

impl Ready {
    /// What the processes of a run are given.
    fn admission<'a>(&'a self, group: &'a RunGroup) -> Admission<'a> {
        Admission { launcher: &self.launcher, limits: &self.sandbox.process_limits, group: Some(group) }
    }
}

impl TerraformRunner {
    /// A runner with its directory made and locked.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is wrong: a path that cannot be used, or a `work_root` that another
    /// process uses.
    pub fn new(config: TerraformConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let work_root = lock(&config.work_root)
            .map_err(|error| ConfigError { field: "work_root", reason: error.to_string() })?;
        mirror::prepare(&config)
            .map_err(|error| ConfigError { field: "provider_mirror", reason: error.to_string() })?;
        let threads = Launcher::start(config.patience).and_then(|launcher| Ok((launcher, Sweeper::start()?)));
        let (launcher, sweeper) = threads.map_err(|error| ConfigError {
            field: "engine",
            reason: format!("no thread to start it: {error}"),
        })?;
        Ok(Self {
            config,
            credentials: None,
            launcher: Arc::new(launcher),
            sweeper,
            reserve: Reserve::default(),
            ready: OnceCell::new(),
            cache: Mutex::new(()),
            under_way: RwLock::new(()),
            _work_root: work_root,
        })
    }

    /// Gives the engine of each run what `credentials` grants it; without, none are given.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Whether module code is kept away from the platform.
    ///
    /// # Errors
    /// As [`engine`](Runner::engine).
    pub async fn isolates(&self) -> Result<bool, RunnerError> {
        Ok(self.ready().await?.sandbox.isolates())
    }

    /// What of the isolation and the limits this host enforces, and by which means.
    ///
    /// # Errors
    /// As [`engine`](Runner::engine).
    pub async fn enforcement(&self) -> Result<&Enforcement, RunnerError> {
        Ok(&self.ready().await?.enforcement)
    }

    async fn ready(&self) -> Result<&Arc<Ready>, RunnerError> {
        self.ready.get_or_try_init(|| self.prepare()).await
    }

    async fn prepare(&self) -> Result<Arc<Ready>, RunnerError> {
        let executable = engine::find(self.config.engine.as_deref())?;
        let TerraformConfig { work_root, cgroup, limits, .. } = &self.config;
        let cgroups = Cgroups::find(work_root, cgroup.as_deref(), limits, &self.sweeper);
        sandbox::prepare_cache(&self.config)?;
        let workspace = Workspace::of(&self.config.work_root, RunId::new());
        workspace.create().map_err(|error| machinery("making a directory for a run", error))?;
        let found = self.find_out(&executable, &cgroups, &workspace).await;
        workspace.remove().map_err(|error| machinery("removing a run's directory", error))?;
        let (sandbox, engine) = found?;
        let enforcement = probe::enforcement(&sandbox, &cgroups);
        for gap in enforcement.gaps() {
            let reason = gap.gap.as_deref().unwrap_or_default();
            tracing::warn!(what = gap.what, bound = %gap.bound, reason, "a limit of runs is not wholly enforced here");
        }
        tracing::info!(engine = %engine.name, version = %engine.version, sandbox = sandbox.isolates(), "ready to run");
        let (launcher, sweeper) = (Arc::clone(&self.launcher), self.sweeper.clone());
        Ok(Arc::new(Ready { engine, sandbox, cgroups, enforcement, launcher, sweeper }))
    }

    /// Reports the state that is left of a run whose machinery failed, before its directory is removed; whether that may be.
    /// What module code was given to read is gone in any case.
    async fn rescue(&self, job: &RunJob, observer: &dyn RunObserver, workspace: &Workspace) -> bool {
        self.sweeper.directory(&workspace.path(Room::Inputs));
        match newest_state(workspace) {
            Ok(Some(state)) if job.action.applies() && job.state.as_ref() != Some(&state) => {
                // Where the observer takes nothing any more, another process ends the run: as with one that ended well.
                let _ = observer.event(RunEvent::State(state)).await;
                true
            }
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(run = %job.run, %error, "a run's directory stays until its state can be read");
                false
            }
        }
    }

    /// The sandbox that works here, and which engine answers in it.
    async fn find_out(
        &self,
        executable: &Path,
        cgroups: &Cgroups,
        workspace: &Workspace,
    ) -> Result<(Sandbox, Engine), RunnerError> {
        let launcher = &*self.launcher;
        let probe = Probe { config: &self.config, cgroups, launcher, scratch: workspace.root() };
        let sandbox = probe.sandbox(executable).await?;
        let admission = Admission { launcher, limits: &sandbox.process_limits, group: None };
        let printed = async {
            let connection = sandbox.connect(workspace.root(), launcher).await?;
            let command = sandbox.engine(workspace, connection.as_ref(), CacheAccess::Read);
            admission
                .start(command, &["version", "-json"].map(String::from))
                .await?
                .child
                .wait_with_output()
                .await
        };
        let printed = printed.await;
        let printed = printed.map_err(|error| engine::missing(error.to_string()))?;
        let engine = engine::read_version(executable, &printed.stdout)?;
        Ok((sandbox, engine))
    }
}

#[async_trait]
impl Runner for TerraformRunner {
    async fn engine(&self) -> Result<Engine, RunnerError> {
        Ok(self.ready().await?.engine.clone())
    }

    async fn run(&self, job: RunJob, observer: &dyn RunObserver) -> Result<RunOutcome, RunnerError> {
        let _under_way = self.under_way.read().await;
        if let Some(outcome) = nothing_to_destroy(&job, observer).await {
            return Ok(outcome);
        }
        let ready = self.ready().await?;
        let granted = granted(self.credentials.as_ref(), &job).await?;
        let starting = |error| machinery("making a sandbox for a run", error);
        let mut standby = match self.reserve.take(ready).await {
            Some(standby) => standby,
            None => Standby::make(ready, Some(job.run)).await.map_err(starting)?,
        };
        let workspace = standby.claim(&self.config.work_root, job.run).map_err(starting)?;
        let shared = Shared { config: &self.config, ready, cache: &self.cache };
        let ended = match Session::begin(shared, &job, &granted, observer, (standby, &workspace)).await {
            Ok(Ok(session)) => session.run().await,
            Ok(Err(outcome)) => Ok(outcome),
            Err(error) => Err(error),
        };
        if ended.is_ok() || self.rescue(&job, observer, &workspace).await {
            self.sweeper.directory(workspace.root());
        }
        // Not beside the run, which it would slow down.
        self.reserve.fill(ready);
        ended
    }

    fn resources(&self, state: &[u8]) -> Option<Vec<String>> {
        State::parse(state).map(State::addresses)
    }

    async fn salvage(&self, run: RunId) -> Result<Option<Bytes>, RunnerError> {
        newest_state(&Workspace::of(&self.config.work_root, run))
    }

    async fn clear(&self) -> Result<(), RunnerError> {
        let Ok(_alone) = self.under_way.try_write() else {
            return Err(
                BackendError::unavailable("clearing the directories of runs", "a run is under way").into()
            );
        };
        let failed = |error| machinery("clearing the directories of runs", error);
        // A runner that cannot run anything has no groups.
        let ready = self.ready().await.ok();
        self.reserve.dismiss().await;
        let sweeper = self.sweeper.clone();
        let swept = tokio::task::spawn_blocking(move || sweeper.finish()).await;
        swept.map_err(|error| failed(io::Error::other(error)))?;
        if let Some(ready) = ready {
            ready.cgroups.clear();
        }
        for entry in fs::read_dir(&self.config.work_root).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(run) = name.to_str().and_then(|name| name.parse::<RunId>().ok()) {
                Workspace::of(&self.config.work_root, run).remove().map_err(failed)?;
            }
        }
        // Whoever clears is about to work.
        if let Some(ready) = ready {
            self.reserve.fill(ready);
        }
        Ok(())
    }
}

/// What a run logs on with.
async fn granted(credentials: Option<&Arc<dyn Credentials>>, job: &RunJob) -> Result<Granted, BackendError> {
    let Some(credentials) = credentials else { return Ok(Granted::default()) };
    let granted = credentials.grant(job).await?;
    granted.check().map_err(|reason| BackendError::permanent("taking the credentials of a run", reason))?;
    Ok(granted)
}

/// Ends a run that is to destroy what was never made, or is gone.
async fn nothing_to_destroy(job: &RunJob, observer: &dyn RunObserver) -> Option<RunOutcome> {
    if !job.action.destroys() || leaves_something(job.state.as_deref()) {
        return None;
    }
    let said = "Nothing was made, or nothing of it is left: there is nothing to destroy.\n".to_owned();
    Some(match observer.event(RunEvent::Log(said)).await {
        Ok(()) => RunOutcome::Success,
        Err(_) => RunOutcome::Stopped,
    })
}

/// Whether a state knows of something to destroy; one that cannot be read may.
fn leaves_something(state: Option<&[u8]>) -> bool {
    state.is_some_and(|state| State::parse(state).is_none_or(|state| state.has_resources()))
}

/// Makes a directory for its owner only, and locks it for as long as the file is open.
fn lock(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    let file = File::create(directory.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::other("another process uses it")),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}
