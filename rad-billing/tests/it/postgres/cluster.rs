//! A PostgreSQL server of a test's own, which it can kill: on a socket in a directory of its own, durable as in production.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::programs;

/// Who runs the server if the tests run as root, whom it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is up.
pub(super) struct Cluster {
    programs: PathBuf,
    dir: TempDir,
    /// Bytes of the file system at [`Cluster::small_disk`].
    small: Option<u64>,
    server: Child,
}

/// How a server is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kill {
    /// The first process is killed outright; its children notice and end.
    Nine,
    /// Immediate shutdown: all processes end at once, nothing is written any more.
    Immediate,
}

impl Cluster {
    pub(super) fn start() -> Self {
        Self::create(None)
    }

    /// A server for which [`Cluster::small_disk`] is a file system of so many bytes.
    pub(super) fn with_small_disk(bytes: u64) -> Self {
        Self::create(Some(bytes))
    }

    fn create(small: Option<u64>) -> Self {
        let programs = programs();
        // The path of a socket must be short.
        let dir = tempfile::Builder::new().prefix("rad-cluster.").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(dir.path().join("small")).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = as_server_user(programs.join("initdb"))
            .args(["--username=rad", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg("--pgdata")
            .arg(dir.path().join("data"))
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let server = start(&programs, &dir, small);
        Self { programs, dir, small, server }
    }

    /// The address of its database.
    pub(super) fn address(&self) -> String {
        format!("postgres://rad@localhost/postgres?host={}", self.dir.path().display())
    }

    pub(super) fn small_disk(&self) -> PathBuf {
        self.dir.path().join("small")
    }

    pub(super) fn kill(&mut self, how: Kill) {
        let signal = match how {
            Kill::Nine => rustix::process::Signal::KILL,
            Kill::Immediate => rustix::process::Signal::QUIT,
        };
        let server = rustix::process::Pid::from_child(&self.server);
        rustix::process::kill_process(server, signal).unwrap();
        self.server.wait().unwrap();
    }

    /// Starts the server that was killed; it recovers by itself.
    pub(super) fn start_again(&mut self) {
        self.server = start(&self.programs, &self.dir, self.small);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill(Kill::Immediate);
        }
    }
}

/// Starts a server, as often as it takes: the children of one that was killed may keep its memory a little longer.
fn start(programs: &std::path::Path, dir: &TempDir, small: Option<u64>) -> Child {
    let began = Instant::now();
    loop {
        let mut server = serve(programs, dir, small);
        loop {
            let ready = Command::new(programs.join("pg_isready"))
                .arg("--quiet")
                .arg("--host")
                .arg(dir.path())
                .status()
                .unwrap();
            if ready.success() {
                return server;
            }
            if server.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        assert!(began.elapsed() < PATIENCE, "the server does not start: {}", log());
    }
}

fn serve(programs: &std::path::Path, dir: &TempDir, small: Option<u64>) -> Child {
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let mut command = match small {
        None => as_server_user(programs.join("postgres")),
        Some(bytes) => {
            let mut command = Command::new("bwrap");
            command.args(["--die-with-parent", "--dev-bind", "/", "/", "--perms", "0777", "--size"]);
            command.arg(bytes.to_string()).arg("--tmpfs").arg(dir.path().join("small")).arg("--");
            let server = as_server_user(programs.join("postgres"));
            command.arg(server.get_program()).args(server.get_args());
            command
        }
    };
    command
        .arg("-D")
        .arg(dir.path().join("data"))
        .arg("-k")
        .arg(dir.path())
        .args(["-c", "listen_addresses=", "-c", "fsync=on", "-c", "synchronous_commit=on"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A program run as the user whom the server allows; the kernel ends it if this process is killed.
fn as_server_user(program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if rustix::process::geteuid().is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.arg(program);
    command
}
