//! The gates around a sandbox. A process waits at the outer one until it is in its control group, and then at the inner one,
//! with the whole sandbox made around it, until it is told with which arguments to become the engine: which of it starts
//! at once.

use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use super::carrier::Connection;
use super::cgroup::RunGroup;
use super::launcher::Launcher;
use super::rlimit::ProcessLimits;
use super::sandbox::PATH;
use super::watchdog::Watchdog;

/// Says that it waits, reads whether to go on, and becomes what it guards, with the file at the first argument, if there is
/// one, open as [`FILTER`].
const OUTER: &str = "echo; read -r go || exit 125; [ -z \"$1\" ] || exec 9<\"$1\"; shift; exec \"$@\"";

/// The descriptor of the filter of system calls, for bubblewrap.
pub(super) const FILTER: &str = "9";

/// The same inside, with the arguments that it reads, apart by tabs, and with what the file at the first argument exports, if
/// it is there.
const INNER: &str = "echo; IFS= read -r more || exit 125; exports=$1; shift; set -f; IFS='\t'; set -- \"$@\" $more; \
                     unset IFS; if [ -f \"$exports\" ]; then . \"$exports\"; fi; exec \"$@\"";

/// What stands between arguments.
const TAB: &str = "\t";

/// What a process is given before it may start its work.
#[derive(Clone, Copy)]
pub(super) struct Admission<'a> {
    pub(super) launcher: &'a Launcher,
    pub(super) limits: &'a ProcessLimits,
    pub(super) group: Option<&'a RunGroup>,
}

/// A process that waits at the inner gate, with all it is given.
#[derive(Debug)]
pub(super) struct Waiting {
    // Dropped before another process can have the id of the one it watches.
    watchdog: Option<Watchdog>,
    child: Child,
    gate: ChildStdin,
}

/// A process past the gates.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) child: Child,
    /// Kills it should the platform stand still.
    pub(super) watchdog: Option<Watchdog>,
}

/// A command that stops at the outer gate, to which a sandbox is to be added, in this network and with this filter of system
/// calls; then [`inner`] and what it guards.
pub(super) fn outer(connection: Option<&Connection>, filter: Option<&Path>) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", OUTER, "gate"]).arg(filter.unwrap_or(Path::new("")));
    command.args(connection.map(Connection::prefix).unwrap_or_default());
    command.env_clear().env("PATH", PATH).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The inner gate, to which what it guards is to be added; the script at `exports` is read when it is passed, so that what
/// it exports stands in no command line and no other environment.
pub(super) fn inner(command: &mut Command, exports: &Path) {
    command.args(["/bin/sh", "-c", INNER, "gate"]).arg(exports);
}

impl Admission<'_> {
    /// Starts a command that stops at the gates, gives it all it is to have, and brings it to the inner one.
    pub(super) async fn wait(&self, command: Command) -> io::Result<Waiting> {
        let mut child = self.launcher.spawn(command).await?;
        let (Some(gate), Some(_)) = (child.stdin.take(), child.stdout.as_ref()) else {
            return Err(io::Error::other("a process was started without a gate"));
        };
        let process = child.id().ok_or_else(|| io::Error::other("it ended at its gate"))?;
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        let mut waiting = Waiting { watchdog: None, child, gate };
        let coming = Coming(Some(pid));
        reached(&mut waiting.child).await?;
        self.limits.apply(pid)?;
        if let Some(group) = self.group {
            group.join(pid)?;
        }
        // Before it can do anything.
        waiting.watchdog = self.launcher.watch(process).await?;
        waiting.gate.write_all(b"go\n").await?;
        reached(&mut waiting.child).await?;
        coming.arrived();
        Ok(waiting)
    }

    /// Starts a command that stops at the gates, and lets it pass with these arguments.
    pub(super) async fn start(&self, command: Command, arguments: &[String]) -> io::Result<Admitted> {
        self.wait(command).await?.pass(arguments).await
    }
}

impl Waiting {
    /// Lets the process pass with these arguments, which no tab and no line feed may stand in.
    pub(super) async fn pass(mut self, arguments: &[String]) -> io::Result<Admitted> {
        self.gate.write_all(format!("{}\n", arguments.join(TAB)).as_bytes()).await?;
        Ok(Admitted { child: self.child, watchdog: self.watchdog })
    }

    /// Whether it is still there.
    pub(super) fn waits(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the process, which is not needed any more.
    pub(super) async fn send_away(mut self) {
        self.watchdog = None;
        // One that is gone already is no loss.
        let _ = self.child.kill().await;
    }
}

/// A process group on its way to the inner gate. Given up on the way, all of it is killed: a sandbox whose first half is
/// killed while it comes up leaves a second one that waits for it for ever.
struct Coming(Option<Pid>);

impl Coming {
    fn arrived(mut self) {
        self.0 = None;
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One that is gone already is no loss.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Waits until a process says that it is at a gate.
async fn reached(child: &mut Child) -> io::Result<()> {
    let Some(told) = child.stdout.as_mut() else { return Ok(()) };
    if let Err(error) = told.read_u8().await {
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said).await?;
        }
        return Err(io::Error::other(format!("it did not reach its gate: {error} {}", said.trim())));
    }
    Ok(())
}
