//! Limits that the kernel keeps for each process: the size and the number of its files always, its memory and its
//! siblings where no control group does that better. See setrlimit(2).

use std::io;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};

use super::cgroup::{Cgroups, Controller};
use super::limits::Limits;

/// Sets limits and becomes another program (util-linux).
const PRLIMIT: &str = "/usr/bin/prlimit";

/// What the engine and all it starts are limited to, each for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessLimits {
    values: Vec<(Resource, u64)>,
    /// Set inside the sandbox, where only its own processes count.
    processes: Option<u64>,
}

impl ProcessLimits {
    /// The limits, as far as no control group keeps them better.
    pub(super) fn new(limits: &Limits, cgroups: &Cgroups) -> Self {
        let mut values = vec![
            (Resource::Core, 0),
            (Resource::Fsize, within(Resource::Fsize, limits.file_size)),
            (Resource::Nofile, within(Resource::Nofile, limits.open_files)),
        ];
        if cgroups.means(Controller::Memory).is_none() {
            values.push((Resource::Data, within(Resource::Data, limits.memory)));
        }
        // The kernel does not count for root, as whom a sandbox's processes run if the platform does.
        let counted = cgroups.means(Controller::Processes).is_none() && !geteuid().is_root();
        let processes = counted && Path::new(PRLIMIT).is_file();
        Self { values, processes: processes.then(|| within(Resource::Nproc, limits.processes)) }
    }

    /// Whether a process's memory is limited.
    pub(super) fn keep_memory(&self) -> bool {
        self.values.iter().any(|(resource, _)| *resource == Resource::Data)
    }

    /// Whether the number of processes is limited.
    pub(super) fn keep_processes(&self) -> bool {
        self.processes.is_some()
    }

    /// Limits a process and what it will start.
    pub(super) fn apply(&self, process: Pid) -> io::Result<()> {
        for (resource, value) in &self.values {
            let limit = Rlimit { current: Some(*value), maximum: Some(*value) };
            prlimit(Some(process), *resource, limit)?;
        }
        Ok(())
    }

    /// What stands before the command inside the sandbox.
    pub(super) fn arguments(&self) -> Vec<String> {
        let limit = |most| vec![PRLIMIT.to_owned(), format!("--nproc={most}"), "--".to_owned()];
        self.processes.map(limit).unwrap_or_default()
    }
}

/// A value that this process may set: no more than its own.
fn within(resource: Resource, wanted: u64) -> u64 {
    getrlimit(resource).maximum.map_or(wanted, |most| most.min(wanted))
}
