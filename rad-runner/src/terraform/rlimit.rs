//! Limits that the kernel keeps for each process: the size and the number of its files always, its memory and its
//! siblings where no control group does that better. See setrlimit(2).

use std::path::Path;

use rustix::process::{Resource, geteuid, getrlimit};

use super::cgroup::{Cgroups, Controller};
use super::limits::Limits;

/// Sets limits and becomes another program (util-linux).
const PRLIMIT: &str = "/usr/bin/prlimit";

/// What the engine and all it starts are limited to, each for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessLimits {
    values: Option<Vec<(&'static str, u64)>>,
}

impl ProcessLimits {
    /// The limits, as far as no control group keeps them better.
    pub(super) fn new(limits: &Limits, cgroups: &Cgroups) -> Self {
        if !Path::new(PRLIMIT).is_file() {
            return Self { values: None };
        }
        let mut values = vec![
            ("core", 0),
            ("fsize", within(Resource::Fsize, limits.file_size)),
            ("nofile", within(Resource::Nofile, limits.open_files)),
        ];
        if cgroups.means(Controller::Memory).is_none() {
            values.push(("data", within(Resource::Data, limits.memory)));
        }
        // The kernel does not count for root, as whom a sandbox's processes run if the platform does.
        if cgroups.means(Controller::Processes).is_none() && !geteuid().is_root() {
            values.push(("nproc", within(Resource::Nproc, limits.processes)));
        }
        Self { values: Some(values) }
    }

    /// Whether a limit is among them.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.values.as_ref().is_some_and(|values| values.iter().any(|(kept, _)| *kept == name))
    }

    /// What stands before the command to limit.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Some(values) = &self.values else { return Vec::new() };
        let limits = values.iter().map(|(name, value)| format!("--{name}={value}"));
        std::iter::once(PRLIMIT.to_owned()).chain(limits).chain(std::iter::once("--".to_owned())).collect()
    }
}

/// A value that this process may set: no more than its own.
fn within(resource: Resource, wanted: u64) -> u64 {
    getrlimit(resource).maximum.map_or(wanted, |most| most.min(wanted))
}
