//! How a worker is set up, and the name under which it finds its leases again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rad_core::deployment::LeaseLimits;
use rad_core::runner::RunLimits;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The setup of a [`Worker`](super::Worker).
///
/// ```
/// use rad_runner::worker::WorkerConfig;
///
/// let config = WorkerConfig::builder("worker-1").concurrency(4).build()?;
/// assert_eq!(config.concurrency, 4);
/// # Ok::<(), rad_runner::worker::WorkerConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// The name under which it holds leases. After a restart under the same name it ends what it was working on at
    /// once, instead of when the leases lapse; no two workers at a time may have one name.
    pub name: String,
    /// How many runs it carries out at a time.
    #[serde(default = "concurrency")]
    pub concurrency: usize,
    /// How long one run may take, and each of its steps.
    #[serde(default = "limits")]
    pub limits: RunLimits,
    /// How long a purge may try to destroy what there is.
    #[serde(default = "purge_limit")]
    pub purge_limit: Duration,
    /// How many runs may work at a time on all workers together, and of one owner; the same on all workers.
    #[serde(default)]
    pub most_runs: LeaseLimits,
    /// How long a lease lasts unless it is lengthened: how long a run of a lost worker seems to go on.
    #[serde(default = "lease")]
    pub lease: Duration,
    /// How often leases are lengthened; at most a third of `lease`.
    #[serde(default = "heartbeat")]
    pub heartbeat: Duration,
    /// How often it asks for runs when nobody wakes it.
    #[serde(default = "poll")]
    pub poll: Duration,
    /// How often it sweeps.
    #[serde(default = "sweep")]
    pub sweep: Duration,
    /// How long runs may go on once it shuts down, before they are interrupted.
    #[serde(default = "shutdown_grace")]
    pub shutdown_grace: Duration,
}

impl WorkerConfig {
    /// Starts with the worker's name; [`stable_name`] gives one that survives restarts.
    pub fn builder(name: impl Into<String>) -> WorkerConfigBuilder {
        WorkerConfigBuilder {
            config: Self {
                name: name.into(),
                concurrency: concurrency(),
                limits: limits(),
                purge_limit: purge_limit(),
                most_runs: LeaseLimits::default(),
                lease: lease(),
                heartbeat: heartbeat(),
                poll: poll(),
                sweep: sweep(),
                shutdown_grace: shutdown_grace(),
            },
        }
    }

    /// Checks the setup.
    ///
    /// # Errors
    /// [`WorkerConfigError`] naming the first field that is wrong.
    pub fn check(&self) -> Result<(), WorkerConfigError> {
        let wrong = |field, reason: &str| Err(WorkerConfigError { field, reason: reason.to_owned() });
        if self.name.is_empty() || self.name.len() > 128 {
            return wrong("name", "it has between 1 and 128 bytes");
        }
        if !(1..=64).contains(&self.concurrency) {
            return wrong("concurrency", "between 1 and 64 runs go on at a time");
        }
        let RunLimits { whole, init, plan, apply } = self.limits;
        if [whole, init, plan, apply].iter().any(Duration::is_zero) {
            return wrong("limits", "no run and no step ends in no time");
        }
        if self.purge_limit.is_zero() {
            return wrong("purge_limit", "it is more than zero");
        }
        if [self.most_runs.per_owner, self.most_runs.total].contains(&Some(0)) {
            return wrong("most_runs", "with none at a time, none would ever run");
        }
        if self.heartbeat.is_zero() || self.heartbeat > self.lease / 3 {
            return wrong("heartbeat", "it is more than zero and at most a third of the lease");
        }
        if self.poll.is_zero() {
            return wrong("poll", "it is more than zero");
        }
        if self.sweep.is_zero() {
            return wrong("sweep", "it is more than zero");
        }
        Ok(())
    }
}

/// Builds a [`WorkerConfig`].
#[derive(Debug, Clone)]
pub struct WorkerConfigBuilder {
    config: WorkerConfig,
}

impl WorkerConfigBuilder {
    /// How many runs go on at a time; 2 by default.
    #[must_use]
    pub fn concurrency(mut self, runs: usize) -> Self {
        self.config.concurrency = runs;
        self
    }

    /// How long one run may take; an hour by default, a quarter of it for fetching providers and for planning.
    #[must_use]
    pub fn limits(mut self, limits: RunLimits) -> Self {
        self.config.limits = limits;
        self
    }

    /// How long a purge may try to destroy what there is; five minutes by default.
    #[must_use]
    pub fn purge_limit(mut self, limit: Duration) -> Self {
        self.config.purge_limit = limit;
        self
    }

    /// How many runs may work at a time on all workers together, and of one owner; without limits by default.
    #[must_use]
    pub fn most_runs(mut self, limits: LeaseLimits) -> Self {
        self.config.most_runs = limits;
        self
    }

    /// How long a lease lasts and how often it is lengthened; 15 s and 3 s by default.
    #[must_use]
    pub fn lease(mut self, lease: Duration, heartbeat: Duration) -> Self {
        self.config.lease = lease;
        self.config.heartbeat = heartbeat;
        self
    }

    /// How long runs may go on once the worker shuts down; 10 s by default.
    #[must_use]
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.config.shutdown_grace = grace;
        self
    }

    /// The setup.
    ///
    /// # Errors
    /// [`WorkerConfigError`] naming the first field that is wrong.
    pub fn build(self) -> Result<WorkerConfig, WorkerConfigError> {
        self.config.check()?;
        Ok(self.config)
    }
}

/// A field of a setup that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the worker's {field} cannot be used: {reason}")]
pub struct WorkerConfigError {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// The name kept in a file, for a worker that keeps its data beside it; a new one where there is no file yet.
///
/// # Errors
/// If the file cannot be read or made.
pub fn stable_name(path: &Path) -> io::Result<String> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(format!("worker-{}", Uuid::new_v4()).as_bytes())?;
            file.sync_all()?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let name = fs::read_to_string(path)?;
    match name.trim() {
        "" => Err(io::Error::other(format!("{} is empty: remove it", path.display()))),
        name => Ok(name.to_owned()),
    }
}

fn concurrency() -> usize {
    2
}

fn limits() -> RunLimits {
    let (hour, quarter) = (Duration::from_secs(3600), Duration::from_secs(900));
    RunLimits { whole: hour, init: quarter, plan: quarter, apply: hour }
}

fn purge_limit() -> Duration {
    Duration::from_secs(300)
}

fn lease() -> Duration {
    Duration::from_secs(15)
}

fn heartbeat() -> Duration {
    Duration::from_secs(3)
}

fn poll() -> Duration {
    Duration::from_millis(500)
}

fn sweep() -> Duration {
    Duration::from_secs(1)
}

fn shutdown_grace() -> Duration {
    Duration::from_secs(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_setups_are_refused_with_the_field() {
        let second = Duration::from_secs(1);
        let builder = || WorkerConfig::builder("w");
        for (built, field) in [
            (WorkerConfig::builder("").build(), "name"),
            (builder().concurrency(0).build(), "concurrency"),
            (builder().limits(RunLimits { plan: Duration::ZERO, ..limits() }).build(), "limits"),
            (builder().purge_limit(Duration::ZERO).build(), "purge_limit"),
            (builder().most_runs(LeaseLimits { per_owner: Some(0), total: None }).build(), "most_runs"),
            (builder().lease(second, second).build(), "heartbeat"),
        ] {
            assert_eq!(built.unwrap_err().field, field);
        }
        assert!(builder().build().is_ok());
    }

    #[test]
    fn a_name_survives_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker");
        let name = stable_name(&path).unwrap();
        assert_eq!(stable_name(&path).unwrap(), name);
        assert!(name.starts_with("worker-"));
    }
}
