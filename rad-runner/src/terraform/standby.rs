//! The sandboxes of a run's steps, and those made ahead of the run that will take them: with their control group and their
//! network they take longer to come up than the engine to deploy a small module.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rad_core::id::RunId;
use rad_core::runner::Step;
use tokio::task::JoinHandle;

use super::Ready;
use super::carrier::{Carrier, Connection};
use super::cgroup::RunGroup;
use super::gate::Waiting;
use super::sandbox::CacheAccess;
use super::sweeper::Sweeper;
use super::workspace::Workspace;

/// How long a sandbox may wait for its run: what it shows of `/etc` is what was there when it was made.
const LASTS: Duration = Duration::from_secs(600);

/// All that a run is given before it begins, and the engines of its steps, waiting for their module.
#[derive(Debug)]
pub(super) struct Standby {
    /// That of the first step at least.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) connection: Option<Connection>,
    pub(super) group: Arc<RunGroup>,
    directory: Unclaimed,
    made: Instant,
}

/// The one that the next run will take.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    next: Mutex<Option<JoinHandle<io::Result<Standby>>>>,
}

/// A directory that is removed unless a run takes it.
#[derive(Debug)]
struct Unclaimed {
    workspace: Option<Workspace>,
    sweeper: Sweeper,
}

impl Standby {
    /// Makes what a run begins with, and where none has asked for it yet, the sandboxes of all steps at the same time.
    pub(super) async fn make(ready: &Ready, run: Option<RunId>) -> io::Result<Self> {
        let sandbox = &ready.sandbox;
        let name = run.unwrap_or_else(RunId::new);
        let workspace = Workspace::of(&sandbox.config.work_root, name);
        workspace.create()?;
        let directory = Unclaimed { workspace: Some(workspace.clone()), sweeper: ready.sweeper.clone() };
        let group = Arc::new(ready.cgroups.group(name, &sandbox.config.limits)?);
        let connection = sandbox.connect(workspace.root(), &ready.launcher).await?;
        let admission = ready.admission(&group);
        let comes =
            |step| admission.wait(sandbox.engine(&workspace, connection.as_ref(), CacheAccess::of(step)));
        let waiting = match run {
            Some(_) => VecDeque::from([comes(Step::Init).await?]),
            None => {
                let (init, plan, apply) =
                    tokio::try_join!(comes(Step::Init), comes(Step::Plan), comes(Step::Apply))?;
                VecDeque::from([init, plan, apply])
            }
        };
        Ok(Self { waiting, connection, group, directory, made: Instant::now() })
    }

    /// Gives it to a run, whose directory it is from then on.
    pub(super) fn claim(&mut self, work_root: &Path, run: RunId) -> io::Result<Workspace> {
        let claimed = Workspace::of(work_root, run);
        if let Some(workspace) = &self.directory.workspace
            && workspace.root() != claimed.root()
        {
            // What the sandbox shows of the directory it shows under any name.
            fs::rename(workspace.root(), claimed.root())?;
        }
        self.directory.workspace = None;
        Ok(claimed)
    }

    /// Ends the processes, which are not needed any more.
    pub(super) async fn send_away(self) {
        for waiting in self.waiting {
            waiting.send_away().await;
        }
    }

    /// Whether it is as it would be made now.
    fn serves(&mut self, carrier: Option<&Carrier>) -> bool {
        let network = match (&self.connection, carrier) {
            (Some(connection), Some(carrier)) => connection.holds(&carrier.terms()),
            (connection, carrier) => connection.is_none() && carrier.is_none(),
        };
        network && self.made.elapsed() < LASTS && self.waiting.iter_mut().all(Waiting::waits)
    }
}

impl Reserve {
    /// Begins to make the next one, unless that was begun.
    pub(super) fn fill(&self, ready: &Arc<Ready>) {
        // Without a sandbox a process is told where it works when it is started.
        if !ready.sandbox.isolates() {
            return;
        }
        let ready = Arc::clone(ready);
        let make = || tokio::spawn(async move { Standby::make(&ready, None).await });
        self.next.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(make);
    }

    /// The one that was made ahead, if it still serves.
    pub(super) async fn take(&self, ready: &Ready) -> Option<Standby> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        match next.await.ok()? {
            Ok(mut standby) => standby.serves(ready.sandbox.carrier.as_ref()).then_some(standby),
            Err(error) => {
                // The run tries again, and tells whoever waits for it.
                tracing::debug!(%error, "no sandbox could be made ahead");
                None
            }
        }
    }

    /// Takes away what was made ahead.
    pub(super) async fn dismiss(&self, ready: &Ready) {
        if let Some(standby) = self.take(ready).await {
            standby.send_away().await;
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Some(next) = self.next.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            next.abort();
        }
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(workspace) = &self.workspace {
            self.sweeper.directory(workspace.root());
        }
    }
}
