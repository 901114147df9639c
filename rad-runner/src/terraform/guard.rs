//! Watching over what a run takes of the machine where the kernel does not say when it is too much.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rad_core::runner::Diagnostic;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::cgroup::RunGroup;
use super::limits::{Limits, bytes};
use super::tree;

/// How often a run is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// A limit that a run went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    Memory,
    Processes,
    Disk,
    Files,
    Depth,
}

impl Breach {
    /// What the people of the module are told.
    pub(super) fn diagnostic(self, limits: &Limits) -> Diagnostic {
        let (summary, detail) = match self {
            Self::Memory => (
                "The run needs more memory than it may",
                format!("It may use {}; a process of it was ended for want of more.", bytes(limits.memory)),
            ),
            Self::Processes => (
                "The run starts more processes than it may",
                format!("It may have {} processes and threads at the same time.", limits.processes),
            ),
            Self::Disk => (
                "The run fills the disk",
                format!(
                    "Its directory may hold {}, deleted files that are still open included.",
                    bytes(limits.disk)
                ),
            ),
            Self::Files => {
                ("The run makes too many files", format!("Its directory may hold {} files.", limits.files))
            }
            Self::Depth => (
                "The run nests directories too deep",
                "Directories lie in each other more than a hundred deep.".to_owned(),
            ),
        };
        Diagnostic::error(summary, detail)
    }
}

/// Watches a run until it is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    watching: JoinHandle<()>,
    breaches: mpsc::Receiver<Breach>,
}

impl Guard {
    /// Watches a run's directory and group.
    pub(super) fn start(root: PathBuf, group: &Arc<RunGroup>, limits: Limits) -> Self {
        let (sender, breaches) = mpsc::channel(1);
        // What is watched may go before the one who watches.
        let group = Arc::downgrade(group);
        let watching = tokio::spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let (root, group) = (root.clone(), group.clone());
                let looked = tokio::task::spawn_blocking(move || look(&root, &group, &limits));
                if let Ok(Some(breach)) = looked.await
                    && sender.send(breach).await.is_err()
                {
                    return;
                }
            }
        });
        Self { watching, breaches }
    }

    /// Waits until the run goes over a limit; for ever if it never does.
    pub(super) async fn breach(&mut self) -> Breach {
        match self.breaches.recv().await {
            Some(breach) => breach,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn look(root: &Path, group: &Weak<RunGroup>, limits: &Limits) -> Option<Breach> {
    let group = group.upgrade()?;
    if group.ran_out_of_processes() {
        return Some(Breach::Processes);
    }
    // A directory that cannot be read now is read the next time.
    let usage = tree::usage(root, limits.files).ok()?;
    let hidden = || tree::deleted_but_held(root, &group.processes());
    match usage {
        usage if usage.files > limits.files => Some(Breach::Files),
        usage if usage.too_deep => Some(Breach::Depth),
        usage if usage.bytes > limits.disk || usage.bytes.saturating_add(hidden()) > limits.disk => {
            Some(Breach::Disk)
        }
        _ => None,
    }
}
