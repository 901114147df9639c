//! The gate before a sandbox: a process waits at it until it is in its control group and has its network.

use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use super::cgroup::RunGroup;
use super::launcher::Launcher;
use super::network::Carrier;
use super::rlimit::ProcessLimits;
use super::sandbox::PATH;
use super::watchdog::Watchdog;

/// Says that it waits, reads whether to go on, sets the routes it is given, and becomes what it guards.
const SCRIPT: &str = "echo; read -r go || exit 125; \
                      if [ \"$go\" = routes ]; then ip -batch - >&2 || exit 125; fi; exec \"$@\"";

/// What a process is given before it may start its work.
#[derive(Clone, Copy)]
pub(super) struct Admission<'a> {
    pub(super) launcher: &'a Launcher,
    pub(super) limits: &'a ProcessLimits,
    pub(super) group: Option<&'a RunGroup>,
    pub(super) carrier: Option<&'a Carrier>,
    /// A directory of the run's that its module code does not see.
    pub(super) scratch: &'a Path,
}

/// A process that waits at the gate, with all it is given.
#[derive(Debug)]
pub(super) struct Waiting {
    // Dropped before another process can have the id of the one it watches.
    watchdog: Option<Watchdog>,
    child: Child,
    gate: ChildStdin,
    carrier: Option<Child>,
    word: String,
}

/// A process past the gate.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) child: Child,
    /// Carries the packets of its network.
    pub(super) carrier: Option<Child>,
    /// Kills it should the platform stand still.
    pub(super) watchdog: Option<Watchdog>,
}

/// A command that stops at the gate, to which what it guards is to be added; in a network namespace of its own if
/// that is to be connected.
pub(super) fn command(connected: bool) -> Command {
    let mut command = Command::new(if connected { "unshare" } else { "/bin/sh" });
    if connected {
        command.args(["--user", "--map-root-user", "--net", "--", "/bin/sh"]);
    }
    command.args(["-c", SCRIPT, "gate"]);
    command.env_clear().env("PATH", PATH).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Admission<'_> {
    /// Starts a command that stops at the gate, and gives it all it is to have.
    pub(super) async fn wait(&self, command: Command) -> io::Result<Waiting> {
        let mut child = self.launcher.spawn(command).await?;
        let (Some(gate), Some(waits)) = (child.stdin.take(), child.stdout.as_mut()) else {
            return Err(io::Error::other("a process was started without a gate"));
        };
        if let Err(error) = waits.read_u8().await {
            let mut said = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                stderr.read_to_string(&mut said).await?;
            }
            return Err(io::Error::other(format!("it did not reach its gate: {error} {}", said.trim())));
        }
        let process = child.id().ok_or_else(|| io::Error::other("it ended at its gate"))?;
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        self.limits.apply(pid)?;
        if let Some(group) = self.group {
            group.join(pid)?;
        }
        // Before it can do anything.
        let watchdog = self.launcher.watch(process).await?;
        let Some(carrier) = self.carrier else {
            return Ok(Waiting { watchdog, child, gate, carrier: None, word: "go\n".to_owned() });
        };
        let word = format!("routes\n{}", carrier.routes());
        let carrier = Some(carrier.connect(process, self.scratch, self.launcher).await?);
        Ok(Waiting { watchdog, child, gate, carrier, word })
    }

    /// Starts a command that stops at the gate, and lets it pass.
    pub(super) async fn start(&self, command: Command) -> io::Result<Admitted> {
        self.wait(command).await?.pass().await
    }
}

impl Waiting {
    /// Lets the process pass.
    pub(super) async fn pass(mut self) -> io::Result<Admitted> {
        self.gate.write_all(self.word.as_bytes()).await?;
        Ok(Admitted { child: self.child, carrier: self.carrier, watchdog: self.watchdog })
    }

    /// Ends the process, which is not needed any more.
    pub(super) async fn send_away(mut self) {
        self.watchdog = None;
        // One that is gone already is no loss.
        let _ = self.child.kill().await;
    }
}
