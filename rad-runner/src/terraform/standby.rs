//! The sandboxes of a run's steps, and those made ahead of the run that will take them, which would else wait for its control
//! group, its network and its first sandbox.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rad_core::id::RunId;
use rad_core::runner::Step;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Ready;
use super::carrier::{Carrier, Connection};
use super::cgroup::RunGroup;
use super::gate::Waiting;
use super::sandbox::CacheAccess;
use super::sweeper::Sweeper;
use super::workspace::Workspace;

/// How long a sandbox may wait for its run: what it shows of `/etc` is what was there when it was made.
const LASTS: Duration = Duration::from_secs(600);

/// How often those that no run took are made anew: an hour after the last run, nothing is kept ready any more.
const RENEWALS: u32 = 5;

/// All that a run is given before it begins, and the engines of its steps, waiting for their module.
#[derive(Debug)]
pub(super) struct Standby {
    /// That of the first step at least.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) connection: Option<Connection>,
    pub(super) group: Arc<RunGroup>,
    /// What directory and control group were named after.
    name: RunId,
    directory: Unclaimed,
    made: Instant,
}

/// The one that the next run will take.
#[derive(Debug)]
pub(super) struct Reserve {
    lasts: Duration,
    /// Locked while it is made.
    next: Arc<tokio::sync::Mutex<Option<Standby>>>,
    /// Makes it, and takes it away again when its time is up.
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Reserve {
    fn default() -> Self {
        Self { lasts: LASTS, next: Arc::default(), keeper: Mutex::default() }
    }
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
        Ok(Self { waiting, connection, group, name, directory, made: Instant::now() })
    }

    /// Gives it to a run, whose directory it is from then on.
    pub(super) fn claim(&mut self, work_root: &Path, run: RunId) -> io::Result<Workspace> {
        let claimed = Workspace::of(work_root, run);
        if let Some(workspace) = &self.directory.workspace
            && workspace.root() != claimed.root()
        {
            // What the sandbox shows of the directory it shows under any name.
            fs::rename(workspace.root(), claimed.root())?;
            tracing::info!(%run, group = %self.name, "a run takes what was made ahead, with its control group");
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

    /// Whether it is as it would be made now, and nothing of it has ended.
    fn serves(&mut self, carrier: Option<&Carrier>, lasts: Duration) -> bool {
        let network = match (&mut self.connection, carrier) {
            (Some(connection), Some(carrier)) => connection.holds(&carrier.terms()) && connection.lives(),
            (connection, carrier) => connection.is_none() && carrier.is_none(),
        };
        network && self.made.elapsed() < lasts && self.waiting.iter_mut().all(Waiting::waits)
    }
}

impl Reserve {
    /// Begins to make the next one, unless there is one or that was begun.
    pub(super) fn fill(&self, ready: &Arc<Ready>) {
        // Without a sandbox a process is told where it works when it is started.
        if !ready.sandbox.isolates() {
            return;
        }
        // Whoever holds it makes it, or takes it and fills it again afterwards.
        let Ok(next) = Arc::clone(&self.next).try_lock_owned() else { return };
        if next.is_none() {
            let keeper = tokio::spawn(keep(next, Arc::downgrade(ready), self.lasts));
            self.replace_keeper(Some(keeper));
        }
    }

    /// The one that was made ahead, if it still serves.
    pub(super) async fn take(&self, ready: &Ready) -> Option<Standby> {
        let mut next = self.next.lock().await.take()?;
        next.serves(ready.sandbox.carrier.as_ref(), self.lasts).then_some(next)
    }

    /// Takes away what was made ahead.
    pub(super) async fn dismiss(&self) {
        let next = self.next.lock().await.take();
        self.replace_keeper(None);
        if let Some(standby) = next {
            standby.send_away().await;
        }
    }

    fn replace_keeper(&self, keeper: Option<JoinHandle<()>>) {
        let mut keeps = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *keeps, keeper) {
            before.abort();
        }
    }
}

/// Makes what the next run will take, and makes it anew when its time is up, but not for ever.
async fn keep(mut next: OwnedMutexGuard<Option<Standby>>, ready: Weak<Ready>, lasts: Duration) {
    for _ in 0..=RENEWALS {
        let Some(runner) = ready.upgrade() else { return };
        match Standby::make(&runner, None).await {
            Ok(standby) => *next = Some(standby),
            Err(error) => {
                // The run tries again, and tells whoever waits for it.
                tracing::debug!(%error, "no sandbox could be made ahead");
                return;
            }
        }
        drop(runner);
        let reserve = Arc::clone(OwnedMutexGuard::mutex(&next));
        drop(next);
        sleep(lasts).await;
        next = reserve.lock_owned().await;
        match next.take() {
            Some(standby) => standby.send_away().await,
            None => return,
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.replace_keeper(None);
        if let Ok(mut next) = self.next.try_lock() {
            *next = None;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::network::Internet;
    use super::super::{Network, TerraformConfig, TerraformRunner};
    use super::*;

    fn runner(network: Network) -> (tempfile::TempDir, TerraformRunner) {
        let root = tempfile::tempdir().unwrap();
        let config = TerraformConfig::builder(root.path().join("runs")).network(network).build().unwrap();
        (root, TerraformRunner::new(config).unwrap())
    }

    #[tokio::test]
    async fn what_was_made_long_ago_or_for_another_network_does_not_serve() {
        let (_root, runner) = runner(Network::Internet(Internet::default()));
        let ready = runner.ready().await.unwrap();
        let mut standby = Standby::make(ready, None).await.unwrap();
        let own = ready.sandbox.carrier.as_ref().unwrap();
        assert!(standby.serves(Some(own), LASTS));
        assert!(!standby.serves(Some(own), Duration::ZERO), "long ago");
        assert!(!standby.serves(None, LASTS), "no network");
        let settings = Internet { allow: vec!["10.0.0.0/8".parse().unwrap()], ..Internet::default() };
        let other = Carrier::new(own.executable.clone(), own.kind, settings);
        assert!(!standby.serves(Some(&other), LASTS), "other routes");
        assert!(standby.serves(Some(own), LASTS));
        standby.send_away().await;
    }

    #[tokio::test]
    async fn what_no_run_takes_is_made_anew_and_given_up_in_the_end() {
        let (root, runner) = runner(Network::Off);
        let ready = runner.ready().await.unwrap();
        let mut reserve = Reserve::default();
        reserve.lasts = Duration::from_millis(200);
        reserve.fill(ready);
        let mut made = BTreeSet::new();
        let is_kept = || reserve.keeper.lock().unwrap().as_ref().is_some_and(|keeper| !keeper.is_finished());
        while is_kept() {
            made.extend(reserve.next.lock().await.as_ref().map(|standby| standby.name));
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(made.len(), RENEWALS as usize + 1);
        assert!(reserve.next.lock().await.is_none(), "an idle platform keeps nothing ready");
        ready.sweeper.finish();
        let left = fs::read_dir(root.path().join("runs")).unwrap().flatten();
        assert_eq!(left.filter(|entry| entry.path().is_dir()).count(), 0);
        reserve.fill(ready);
        assert!(reserve.take(ready).await.is_some(), "the next run has it made again");
    }
}
