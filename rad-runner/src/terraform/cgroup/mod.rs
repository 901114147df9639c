//! Limits by control groups: a group for each run, of version 2 where its controllers are delegated to the platform,
//! otherwise of version 1. See cgroups(7).

mod host;
mod place;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rad_core::id::RunId;
use rustix::process::Pid;

use self::host::Host;
pub(super) use self::place::Controller;
use self::place::{Place, Version, name_of, sweep, write};
use super::limits::Limits;
use super::sweeper::Sweeper;

/// The groups of a runner, in which its runs get theirs.
#[derive(Debug)]
pub(super) struct Cgroups {
    places: Vec<Place>,
    /// Why a controller is not among them.
    pub(super) missing: Vec<(Controller, String)>,
    sweeper: Sweeper,
    /// Keep other runners from taking the directories of this one for what a killed one left.
    locks: Vec<(PathBuf, File)>,
}

/// The group of one run; removed when it is dropped, once its processes have ended.
#[derive(Debug)]
pub(super) struct RunGroup {
    places: Vec<Place>,
    sweeper: Sweeper,
}

impl Cgroups {
    /// The groups that this process can make, below its own or the one given; tried out. What killed runners left there
    /// is removed.
    pub(super) fn find(work_root: &Path, given: Option<&Path>, limits: &Limits, sweeper: &Sweeper) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (groups, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        let host = Host { groups: &groups, mounts: &mounts };
        let name = name_of(work_root);
        let mut found =
            Self { places: Vec::new(), missing: Vec::new(), sweeper: sweeper.clone(), locks: Vec::new() };
        for controller in Controller::ALL {
            match host
                .place(controller, given)
                .and_then(|place| place.inside(&name, limits, &mut found.locks))
            {
                Ok(place) => found.add(place),
                Err(reason) => found.missing.push((controller, reason)),
            }
        }
        found.places.iter().for_each(|place| sweep(&place.directory));
        found
    }

    /// By which means a controller is there.
    pub(super) fn means(&self, controller: Controller) -> Option<&'static str> {
        let place = self.places.iter().find(|place| place.controllers.contains(&controller))?;
        Some(match place.version {
            Version::One => "cgroup v1",
            Version::Two => "cgroup v2",
        })
    }

    /// Makes the group of a run.
    pub(super) fn group(&self, run: RunId, limits: &Limits) -> io::Result<RunGroup> {
        let name = run.to_string();
        let mut group = RunGroup { places: Vec::new(), sweeper: self.sweeper.clone() };
        for place in &self.places {
            group.places.push(place.make(&name, limits)?);
        }
        Ok(group)
    }

    /// Removes the groups of runs whose process was killed.
    pub(super) fn clear(&self) {
        for place in &self.places {
            for entry in fs::read_dir(&place.directory).into_iter().flatten().flatten() {
                if entry.file_name().to_str().is_some_and(|name| name.parse::<RunId>().is_ok()) {
                    // One that cannot be removed holds processes, which die with their sandbox.
                    let _ = fs::remove_dir(entry.path());
                }
            }
        }
    }

    fn add(&mut self, place: Place) {
        match self.places.iter_mut().find(|known| known.directory == place.directory) {
            Some(known) => known.controllers.extend(place.controllers),
            None => self.places.push(place),
        }
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.sweeper.finish();
        self.clear();
        for place in &self.places {
            let _ = fs::remove_dir(&place.directory);
        }
    }
}

impl RunGroup {
    /// Moves a process into the group, and with it what it will start.
    pub(super) fn join(&self, process: Pid) -> io::Result<()> {
        let number = process.as_raw_nonzero().to_string();
        self.places.iter().try_for_each(|place| write(&place.directory, "cgroup.procs", &number))
    }

    /// Whether the kernel killed one of the run's processes for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.place(Controller::Memory).is_some_and(|place| {
            let file = if place.version == Version::Two { "memory.events" } else { "memory.oom_control" };
            count(&place.directory, file, "oom_kill") > 0
        })
    }

    /// Whether the run was refused a process because it had too many.
    pub(super) fn ran_out_of_processes(&self) -> bool {
        self.place(Controller::Processes)
            .is_some_and(|place| count(&place.directory, "pids.events", "max") > 0)
    }

    /// The processes in the group.
    pub(super) fn processes(&self) -> Vec<u32> {
        let listed =
            self.places.first().map(|place| fs::read_to_string(place.directory.join("cgroup.procs")));
        let listed = listed.and_then(Result::ok).unwrap_or_default();
        listed.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn place(&self, controller: Controller) -> Option<&Place> {
        self.places.iter().find(|place| place.controllers.contains(&controller))
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        self.places.iter().for_each(|place| self.sweeper.group(&place.directory));
    }
}

/// The number beside a name in a file of counters.
fn count(directory: &Path, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
    let beside =
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
    beside.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like a delegated group of version 2; the kernel's part is not played.
    #[test]
    fn a_group_of_version_2_is_set_up_with_its_limits() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpuset cpu memory pids\n").unwrap();
        let limits = Limits::default();
        let sweeper = Sweeper::start().unwrap();
        let groups = Cgroups::find(root.path(), Some(root.path()), &limits, &sweeper);
        assert_eq!(groups.missing, []);
        assert_eq!(Controller::ALL.map(|controller| groups.means(controller)), [Some("cgroup v2"); 3]);
        let run = RunId::new();
        let group = groups.group(run, &limits).unwrap();
        let directory = groups.places[0].directory.join(run.to_string());
        let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap();
        assert_eq!(read("memory.max"), "4294967296");
        assert_eq!((read("memory.swap.max"), read("pids.max")), ("0".into(), "2048".into()));
        assert_eq!(read("cpu.max"), "200000 100000");
        group.join(Pid::INIT).unwrap();
        assert_eq!((read("cgroup.procs"), group.processes()), ("1".into(), vec![1]));
        assert!(!group.ran_out_of_memory() && !group.ran_out_of_processes());
        write(&directory, "memory.events", "low 0\noom 2\noom_kill 1\n").unwrap();
        write(&directory, "pids.events", "max 3\n").unwrap();
        assert!(group.ran_out_of_memory() && group.ran_out_of_processes());
    }
}
