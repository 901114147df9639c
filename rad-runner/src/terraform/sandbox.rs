//! What module code gets to see: with bubblewrap, its run's directory and a read-only system; nothing of the platform.
//! See `probe` for how it is found out what works on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rad_core::error::BackendError;
use rad_core::runner::Step;
use tokio::process::Command;

use super::carrier::{Carrier, Connection};
use super::config::TerraformConfig;
use super::gate;
use super::launcher::Launcher;
use super::mirror::{self, ProviderMirror};
use super::network::Network;
use super::rlimit::ProcessLimits;
use super::workspace::{CREDENTIALS, RESOLV_CONF, Room, Workspace};

/// Where executables are looked for inside a run.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of `/etc` a run sees, where it exists: name resolution, certificates (not the private keys beside them), the dynamic
/// linker, the time zone.
const ETC: [&str; 15] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "resolv.conf",
    "ssl/cert.pem",
    "ssl/certs",
];

/// How runs are kept away from the platform and from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Isolation {
    /// By bubblewrap, with these arguments beyond those every version understands, and this filter of system calls.
    Bubblewrap { executable: PathBuf, extra: Vec<&'static str>, filter: Option<PathBuf> },
    /// Not at all: the operator allowed it.
    None,
}

impl Isolation {
    fn filter(&self) -> Option<&Path> {
        match self {
            Self::Bubblewrap { filter, .. } => filter.as_deref(),
            Self::None => None,
        }
    }
}

/// What a step of a run may do with the cache of providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CacheAccess {
    /// Fill it: no module code runs in this step.
    Write,
    /// Read it.
    Read,
    /// Nothing: it takes providers for its run alone.
    Without,
}

impl CacheAccess {
    /// What a step may do with it.
    pub(super) fn of(step: Step) -> Self {
        if step == Step::Init { Self::Write } else { Self::Read }
    }
}

/// Makes the commands that run an engine.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) isolation: Isolation,
    pub(super) engine: PathBuf,
    pub(super) config: TerraformConfig,
    /// Connects runs to the network, if that is neither off nor the host's.
    pub(super) carrier: Option<Carrier>,
    pub(super) process_limits: ProcessLimits,
    /// Open descriptors that the platform was started with, and that every run has.
    pub(super) inherited: usize,
}

impl Sandbox {
    /// Whether module code is kept away from the platform.
    pub(super) fn isolates(&self) -> bool {
        self.isolation != Isolation::None
    }

    /// A command that runs the engine in a run's module directory, in this network, with the arguments it is told at its gate.
    pub(super) fn engine(
        &self,
        workspace: &Workspace,
        connection: Option<&Connection>,
        cache: CacheAccess,
    ) -> Command {
        let mut command = gate::outer(connection, self.isolation.filter());
        let variables = self.variables(workspace, cache);
        match &self.isolation {
            Isolation::Bubblewrap { executable, extra, .. } => {
                command.arg(executable).args(self.system(extra)).args(self.files(workspace, cache));
                for (name, value) in &variables {
                    command.arg("--setenv").arg(name).arg(value);
                }
                command.args(["--remount-ro", "/", "--chdir"]).arg(self.inside(workspace, Room::Module));
                command.arg("--");
            }
            Isolation::None => {
                // With its parent gone the engine is killed, though not what it started itself.
                command.args(["setpriv", "--pdeathsig", "KILL", "--"]);
                command.current_dir(self.inside(workspace, Room::Module)).envs(variables);
            }
        }
        command.args(self.process_limits.arguments());
        gate::inner(&mut command, &self.inside(workspace, Room::Inputs).join(CREDENTIALS));
        command.arg(self.engine_inside());
        command
    }

    /// A command that tells the open descriptors that a process has where an engine would run.
    pub(super) fn look_around(&self, connection: Option<&Connection>) -> Command {
        let mut command = gate::outer(connection, self.isolation.filter());
        if let Isolation::Bubblewrap { executable, extra, .. } = &self.isolation {
            command.arg(executable).args(self.system(extra)).args(["--remount-ro", "/", "--"]);
        }
        command.args(self.process_limits.arguments());
        gate::inner(&mut command, Path::new("/nothing"));
        command.args(["/bin/sh", "-c", "echo /proc/$$/fd/*"]);
        command
    }

    /// Connects a run to the network, if that is neither off nor the host's. `scratch` is a directory that module code
    /// does not see.
    pub(super) async fn connect(
        &self,
        scratch: &Path,
        launcher: &Launcher,
    ) -> io::Result<Option<Connection>> {
        match &self.carrier {
            Some(carrier) => carrier.connect(scratch, launcher).await.map(Some),
            None => Ok(None),
        }
    }

    /// Where a run finds one of its directories.
    pub(super) fn inside(&self, workspace: &Workspace, room: Room) -> PathBuf {
        match self.isolation {
            Isolation::Bubblewrap { .. } => Path::new("/work").join(room.name()),
            Isolation::None => workspace.path(room),
        }
    }

    /// Namespaces, the read-only system, private `/proc`, `/dev` and `/tmp`.
    fn system(&self, extra: &[&str]) -> Vec<OsString> {
        let mut args: Vec<OsString> = [
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--uid",
            "1000",
            "--gid",
            "1000",
            "--hostname",
            "sandbox",
            "--cap-drop",
            "ALL",
            "--die-with-parent",
            "--new-session",
            "--as-pid-1",
            "--clearenv",
            "--proc",
            "/proc",
            // Platforms that run as root would let module code write the host's settings there.
            "--remount-ro",
            "/proc",
            "--dev",
            "/dev",
            "--ro-bind",
            "/usr",
            "/usr",
        ]
        .map(OsString::from)
        .to_vec();
        let tmp = self.config.limits.tmp.to_string();
        for directory in ["/tmp", "/dev/shm"] {
            args.extend(["--size", &tmp, "--tmpfs", directory].map(OsString::from));
        }
        args.extend(["--remount-ro", "/dev"].map(OsString::from));
        if self.isolation.filter().is_some() {
            args.extend(["--seccomp", gate::FILTER].map(OsString::from));
        }
        args.extend(extra.iter().map(OsString::from));
        if self.carrier.is_none() && self.config.network != Network::Host {
            args.push("--unshare-net".into());
        }
        for top in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
            let path = Path::new("/").join(top);
            match fs::read_link(&path) {
                Ok(target) => args.extend(["--symlink".into(), target.into(), path.into()]),
                Err(_) if path.is_dir() => bind(&mut args, "--ro-bind", &path, &path),
                Err(_) => {}
            }
        }
        // In a network of its own a run has a name server of its own.
        let own_resolver = self.carrier.is_some();
        for name in ETC.iter().filter(|name| !(own_resolver && **name == RESOLV_CONF)) {
            let path = Path::new("/etc").join(name);
            bind(&mut args, "--ro-bind-try", &path, &path);
        }
        args
    }

    /// The run's own directories, the engine, and what the operator configured.
    fn files(&self, workspace: &Workspace, cache: CacheAccess) -> Vec<OsString> {
        let mut args = Vec::new();
        for room in Room::ALL {
            let flag = if room.is_read_only() { "--ro-bind" } else { "--bind" };
            bind(&mut args, flag, &workspace.path(room), &self.inside(workspace, room));
        }
        let own_resolver = self.carrier.as_ref().map(|_| RESOLV_CONF);
        for name in ["passwd", "group"].into_iter().chain(own_resolver) {
            bind(
                &mut args,
                "--ro-bind",
                &workspace.path(Room::Inputs).join(name),
                &Path::new("/etc").join(name),
            );
        }
        bind(&mut args, "--ro-bind", &self.engine, &self.engine_inside());
        if let Some(directory) = self.cache(cache) {
            let flag = if cache == CacheAccess::Write { "--bind" } else { "--ro-bind" };
            bind(&mut args, flag, directory, Path::new("/work/providers"));
        }
        if let Some(file) = mirror::cli_config(&self.config) {
            bind(&mut args, "--ro-bind", &file, Path::new("/work/cli.tfrc"));
        }
        if let Some(ProviderMirror::Directory(directory)) = &self.config.provider_mirror {
            bind(&mut args, "--ro-bind", directory, directory);
        }
        args
    }

    /// The cache of providers, for a step that has to do with it.
    fn cache(&self, access: CacheAccess) -> Option<&Path> {
        self.config.plugin_cache.as_deref().filter(|_| access != CacheAccess::Without)
    }

    fn engine_inside(&self) -> PathBuf {
        match self.isolation {
            Isolation::Bubblewrap { .. } => {
                Path::new("/engine").join(self.engine.file_name().unwrap_or_default())
            }
            Isolation::None => self.engine.clone(),
        }
    }

    /// The whole environment of a run.
    fn variables(&self, workspace: &Workspace, cache: CacheAccess) -> Vec<(&'static str, OsString)> {
        let shown = |path: &Path, inside: &str| match self.isolation {
            Isolation::Bubblewrap { .. } => OsString::from(inside),
            Isolation::None => path.into(),
        };
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("PATH", PATH.into()),
            ("HOME", self.inside(workspace, Room::Home).into()),
            ("LANG", "C.UTF-8".into()),
            ("TF_DATA_DIR", self.inside(workspace, Room::Data).into()),
            ("TF_IN_AUTOMATION", "1".into()),
            ("TF_INPUT", "0".into()),
            ("CHECKPOINT_DISABLE", "1".into()),
        ];
        if let Some(directory) = self.cache(cache) {
            variables.push(("TF_PLUGIN_CACHE_DIR", shown(directory, "/work/providers")));
        }
        if let Some(file) = mirror::cli_config(&self.config) {
            variables.push(("TF_CLI_CONFIG_FILE", shown(&file, "/work/cli.tfrc")));
        }
        variables
    }
}

/// Makes the directory of providers, for its owner only.
pub(super) fn prepare_cache(config: &TerraformConfig) -> Result<(), BackendError> {
    let Some(directory) = &config.plugin_cache else {
        return Ok(());
    };
    let made = fs::create_dir_all(directory);
    made.map_err(|error: io::Error| BackendError::permanent("making the directory of providers", error))
}

fn bind(args: &mut Vec<OsString>, flag: &str, from: &Path, to: &Path) {
    args.extend([flag.into(), from.into(), to.into()]);
}
