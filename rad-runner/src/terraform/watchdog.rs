//! Ends an engine whose platform stands still.
//!
//! A platform that is killed takes its engines with it. One that is stopped (SIGSTOP, a debugger, a frozen container) does not:
//! its lease lapses, and they would go on unnoticed. So each engine has a watchdog, a process that hears the platform's
//! heart beat through a pipe, and kills the engine with all that it started when it hears nothing for too long.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::sandbox::PATH;

/// How often the heart beats.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// Reads a line for each beat; `read -t`, which gives up after a while, is bash's. The end of the pipe is the end of the platform.
const SCRIPT: &str = "while read -r -t \"$1\"; do :; done; kill -KILL -- \"-$2\"";

/// Watches over one process group, until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    // Dropped, and thereby killed, before the pipe ends.
    _process: Child,
    _line: Arc<File>,
}

/// Where watchdogs hear the heart beat.
#[derive(Debug, Clone, Default)]
pub(super) struct Heart {
    lines: Arc<Mutex<Vec<Weak<File>>>>,
}

impl Heart {
    /// Beats once: every watchdog hears it.
    pub(super) fn beat(&self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| match line.upgrade() {
            // The pipe does not block: a watchdog that reads nothing has heard enough.
            Some(line) => {
                let _ = (&*line).write(b"\n");
                true
            }
            None => false,
        });
    }

    /// Has `start` start a process that kills the group `leader` leads after `patience` without a beat. `None`, and a warning,
    /// where there is no bash to do so.
    pub(super) async fn watch(
        &self,
        leader: u32,
        patience: Duration,
        start: impl AsyncFnOnce(Command) -> io::Result<Child>,
    ) -> io::Result<Option<Watchdog>> {
        static MISSING: Once = Once::new();
        let mut command = Command::new("bash");
        command.args(["-c", SCRIPT, "watchdog"]);
        command.arg(patience.as_secs_f64().to_string()).arg(leader.to_string());
        command.env_clear().env("PATH", PATH).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = match start(command).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                MISSING.call_once(|| {
                    tracing::warn!(
                        "bash is missing: engines go on past their lease while the platform stands still"
                    );
                });
                return Ok(None);
            }
            started => started?,
        };
        let line = process.stdin.take().ok_or_else(|| io::Error::other("the watchdog has no pipe"))?;
        let line = Arc::new(File::from(line.into_owned_fd()?));
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&line));
        Ok(Some(Watchdog { _process: process, _line: line }))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").process_group(0).kill_on_drop(true).spawn().unwrap()
    }

    async fn watched(heart: &Heart, process: &Child, patience: Duration) -> Watchdog {
        let start = async |mut command: Command| command.kill_on_drop(true).spawn();
        heart.watch(process.id().unwrap(), patience, start).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_process_is_killed_when_the_heart_stands_still_and_not_before() {
        let heart = Heart::default();
        let mut process = sleeper();
        let _watchdog = watched(&heart, &process, Duration::from_secs(2)).await;
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            heart.beat();
        }
        assert!(process.try_wait().unwrap().is_none(), "it lives for as long as the heart beats");
        assert_eq!(process.wait().await.unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn a_watchdog_that_is_dropped_kills_nothing() {
        let heart = Heart::default();
        let mut process = sleeper();
        drop(watched(&heart, &process, Duration::from_secs(1)).await);
        heart.beat();
        assert!(heart.lines.lock().unwrap().is_empty());
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(process.try_wait().unwrap().is_none());
    }
}
