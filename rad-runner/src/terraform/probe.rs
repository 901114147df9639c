//! Finding out which isolation works on this machine, and what it enforces.

use std::env;
use std::path::{Path, PathBuf};

use rad_core::runner::RunnerError;

use super::carrier::{Carrier, CarrierKind};
use super::cgroup::{Cgroups, Controller};
use super::config::TerraformConfig;
use super::enforcement::{Enforcement, Measure};
use super::engine;
use super::filter;
use super::gate::Admission;
use super::launcher::Launcher;
use super::limits::{Limits, bytes};
use super::network::{self, Internet, Network};
use super::rlimit::ProcessLimits;
use super::sandbox::{Isolation, Sandbox};

const NO_BUBBLEWRAP: &str = "install the Debian package bubblewrap and allow unprivileged user namespaces, or set \
                             allow_unsandboxed if every module is trusted";

const NO_CARRIER: &str = "install the Debian package passt (or slirp4netns) and iproute2, or set network to off, or to \
                          host if every module is trusted";

/// What every process has open.
const STREAMS: usize = 3;

/// What a sandbox is found out with.
pub(super) struct Probe<'a> {
    pub(super) config: &'a TerraformConfig,
    pub(super) cgroups: &'a Cgroups,
    pub(super) launcher: &'a Launcher,
    /// A directory for what the probe writes.
    pub(super) scratch: &'a Path,
}

impl Probe<'_> {
    /// The isolation that works.
    pub(super) async fn sandbox(&self, engine: &Path) -> Result<Sandbox, RunnerError> {
        let mut sandbox = Sandbox {
            isolation: Isolation::None,
            engine: engine.canonicalize().map_err(|error| engine::missing(error.to_string()))?,
            config: self.config.clone(),
            carrier: None,
            process_limits: ProcessLimits::new(&self.config.limits, self.cgroups),
            inherited: 0,
        };
        if let Err(reason) = self.isolate(&mut sandbox).await {
            if !self.config.allow_unsandboxed {
                return Err(RunnerError::NoSandbox { reason, mend: NO_BUBBLEWRAP });
            }
            tracing::warn!(
                %reason,
                "MODULE CODE RUNS WITHOUT A SANDBOX: it reads the platform's files and database; deploy trusted \
                 modules only"
            );
            sandbox.isolation = Isolation::None;
            return Ok(sandbox);
        }
        if let Network::Internet(settings) = &self.config.network {
            let connected = self.connect(&mut sandbox, settings).await;
            connected.map_err(|reason| RunnerError::NoSandbox { reason, mend: NO_CARRIER })?;
        }
        Ok(sandbox)
    }

    /// Isolates by bubblewrap, with what its version understands.
    async fn isolate(&self, sandbox: &mut Sandbox) -> Result<(), String> {
        let executable = on_path("bwrap").ok_or("bubblewrap is not installed")?;
        let filter = filter::write(&self.config.work_root)
            .map_err(|error| format!("the filter of system calls cannot be written: {error}"))?;
        let mut reason = String::new();
        for extra in [vec!["--disable-userns"], Vec::new()] {
            let (executable, filter) = (executable.clone(), filter.clone());
            sandbox.isolation = Isolation::Bubblewrap { executable, extra, filter };
            match self.try_out(sandbox).await {
                Ok(printed) => {
                    sandbox.inherited = printed.split_whitespace().count().saturating_sub(STREAMS);
                    return Ok(());
                }
                Err(failure) => reason = format!("bubblewrap does not work here: {failure}"),
            }
        }
        Err(reason)
    }

    /// Connects by the first carrier that works.
    async fn connect(&self, sandbox: &mut Sandbox, settings: &Internet) -> Result<(), String> {
        let mut reasons = Vec::new();
        for kind in CarrierKind::ALL {
            let Some(executable) = on_path(kind.name()) else {
                reasons.push(format!("{} is not installed", kind.name()));
                continue;
            };
            if kind == CarrierKind::Slirp4netns && settings.resolver.is_some() {
                reasons
                    .push("slirp4netns asks the host's name servers, not the configured resolver".to_owned());
                continue;
            }
            sandbox.carrier = Some(Carrier::new(executable, kind, settings.clone()));
            match self.try_out(sandbox).await {
                Ok(_) => return Ok(()),
                Err(failure) => reasons.push(failure),
            }
        }
        sandbox.carrier = None;
        // On a host that reaches nothing there is nothing to connect to.
        if !network::reaches_out() {
            return Ok(());
        }
        Err(format!("runs cannot be given a network apart from the host's: {}", reasons.join("; ")))
    }

    /// Looks around where an engine would run: what is printed there.
    async fn try_out(&self, sandbox: &Sandbox) -> Result<String, String> {
        let admission = Admission { launcher: self.launcher, limits: &sandbox.process_limits, group: None };
        let ended = async {
            let connection = sandbox.connect(self.scratch, self.launcher).await?;
            let admitted = admission.start(sandbox.look_around(connection.as_ref()), &[]).await?;
            admitted.child.wait_with_output().await
        };
        match ended.await {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                let printed: String = String::from_utf8_lossy(&output.stderr).chars().take(300).collect();
                Err(format!("{} ({})", printed.trim(), output.status))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What is enforced by a sandbox and control groups.
pub(super) fn enforcement(sandbox: &Sandbox, cgroups: &Cgroups) -> Enforcement {
    let limits = &sandbox.config.limits;
    let mut measures =
        vec![isolation(sandbox), calls(sandbox), network(sandbox), memory(sandbox, cgroups, limits)];
    measures.push(processes(sandbox, cgroups, limits));
    let hundredths = limits.processor;
    let bound = format!("{}.{:02} processors", hundredths / 100, hundredths % 100);
    measures.push(match (cgroups.means(Controller::Processor), why_not(cgroups, Controller::Processor)) {
        (Some(means), _) => Measure::full("processor time", bound, means),
        (None, why) => Measure::missing("processor time", bound, why),
    });
    measures.push(Measure::full("size of a file", bytes(limits.file_size), "rlimit"));
    measures.push(Measure::full("open files of a process", limits.open_files.to_string(), "rlimit"));
    measures.push(match sandbox.isolates() {
        true => Measure::full("size of /tmp, and of /dev/shm", bytes(limits.tmp), "tmpfs"),
        false => Measure::missing(
            "size of /tmp, and of /dev/shm",
            bytes(limits.tmp),
            "it is the host's without a sandbox",
        ),
    });
    let bound = format!("{} in {} files", bytes(limits.disk), limits.files);
    let gap = match cgroups.means(Controller::Memory) {
        Some(_) => {
            "measured twice a second: a run may go over it for that long before it is stopped; deleted files count while \
             they are open or mapped, not while they are on their way through a socket"
        }
        None => {
            "measured twice a second: a run may go over it for that long before it is stopped; without a control group \
             deleted files that are still open do not count"
        }
    };
    measures.push(Measure::partial("size of a run's directory", bound, "measuring", gap));
    Enforcement { measures }
}

fn isolation(sandbox: &Sandbox) -> Measure {
    let (what, bound) = ("files and processes of the host", "a read-only system and the run's own directory");
    match &sandbox.isolation {
        Isolation::None => Measure::missing(what, bound, NO_BUBBLEWRAP),
        Isolation::Bubblewrap { extra, .. } if extra.is_empty() => {
            let gap = "this version of bubblewrap cannot forbid user namespaces inside: use 0.8 or later";
            Measure::partial(what, bound, "bubblewrap", gap)
        }
        Isolation::Bubblewrap { .. } if sandbox.inherited > 0 => {
            let gap = format!(
                "the platform was started with {} open descriptors more than the three of every process, and runs \
                 have them, too: start it without",
                sandbox.inherited
            );
            Measure::partial(what, bound, "bubblewrap", gap)
        }
        Isolation::Bubblewrap { .. } => Measure::full(what, bound, "bubblewrap"),
    }
}

fn calls(sandbox: &Sandbox) -> Measure {
    let (what, bound) = ("system calls", "none to keyrings, mounts, namespaces and the kernel itself");
    match &sandbox.isolation {
        Isolation::None => Measure::missing(what, bound, NO_BUBBLEWRAP),
        Isolation::Bubblewrap { filter: Some(_), .. } => Measure::full(what, bound, "seccomp"),
        Isolation::Bubblewrap { .. } => {
            Measure::missing(what, bound, "there is no filter for this machine's processor")
        }
    }
}

fn network(sandbox: &Sandbox) -> Measure {
    let what = "network";
    match (&sandbox.config.network, &sandbox.carrier) {
        (Network::Off, _) if sandbox.isolates() => Measure::full(what, "none", "a network namespace"),
        (Network::Internet(_), None) if sandbox.isolates() => {
            let gap =
                "the host had no route to the internet at the start: runs have no network until a restart";
            Measure::partial(what, "none", "a network namespace", gap)
        }
        // The other carrier asks the one on the host's loopback, too.
        (_, Some(carrier)) if carrier.kind == CarrierKind::Pasta && carrier.resolver().is_none() => {
            let gap = "the host names no name server but its own loopback: set network.internet.resolver";
            Measure::partial(what, "the internet", carrier.kind.name(), gap)
        }
        (_, Some(carrier)) => Measure::full(what, "the internet", carrier.kind.name()),
        _ => Measure::missing(what, "the host's", "module code reaches whatever the host reaches"),
    }
}

fn memory(sandbox: &Sandbox, cgroups: &Cgroups, limits: &Limits) -> Measure {
    let (what, bound) = ("memory", bytes(limits.memory));
    match cgroups.means(Controller::Memory) {
        Some(means) => Measure::full(what, bound, means),
        None if sandbox.process_limits.keep_memory() => {
            let gap = format!("for each process, not for the run: {}", why_not(cgroups, Controller::Memory));
            Measure::partial(what, bound, "rlimit", gap)
        }
        None => Measure::missing(what, bound, why_not(cgroups, Controller::Memory)),
    }
}

fn processes(sandbox: &Sandbox, cgroups: &Cgroups, limits: &Limits) -> Measure {
    let (what, bound) = ("processes and threads", limits.processes.to_string());
    match cgroups.means(Controller::Processes) {
        Some(means) => Measure::full(what, bound, means),
        None if sandbox.process_limits.keep_processes() => {
            let gap = format!(
                "for the platform's user on older kernels: {}",
                why_not(cgroups, Controller::Processes)
            );
            Measure::partial(what, bound, "rlimit", gap)
        }
        None => Measure::missing(what, bound, why_not(cgroups, Controller::Processes)),
    }
}

fn why_not(cgroups: &Cgroups, controller: Controller) -> String {
    let why = cgroups.missing.iter().find(|(missing, _)| *missing == controller);
    why.map(|(_, reason)| reason.clone()).unwrap_or_default()
}

fn on_path(name: &str) -> Option<PathBuf> {
    engine::find_on(&env::var_os("PATH").unwrap_or_default(), &[name])
}
