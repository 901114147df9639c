//! Limits by control groups: a group for each run, of version 2 where its controllers are delegated to the platform,
//! otherwise of version 1. See cgroups(7).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rad_core::id::RunId;
use rustix::process::Pid;

use super::limits::Limits;

/// In how many microseconds processor time is measured out.
const PERIOD: u64 = 100_000;

/// A kind of control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Processor,
    Processes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The groups of a runner, in which its runs get theirs.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    places: Vec<Place>,
    /// Why a controller is not among them.
    pub(super) missing: Vec<(Controller, String)>,
}

/// A directory in which groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    directory: PathBuf,
    version: Version,
    controllers: Vec<Controller>,
}

/// The group of one run; removed when it is dropped.
#[derive(Debug)]
pub(super) struct RunGroup {
    places: Vec<Place>,
}

/// What a process reads about its groups and where they are mounted.
struct Host<'a> {
    groups: &'a str,
    mounts: &'a str,
}

impl Controller {
    const ALL: [Self; 3] = [Self::Memory, Self::Processor, Self::Processes];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processor => "cpu",
            Self::Processes => "pids",
        }
    }
}

impl Cgroups {
    /// The groups that this process can make, below its own or the one given; tried out.
    pub(super) fn find(work_root: &Path, given: Option<&Path>, limits: &Limits) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (groups, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        let host = Host { groups: &groups, mounts: &mounts };
        // Two runners of one machine share no group: each has a directory of its own to work in.
        let name =
            fs::metadata(work_root).map_or_else(|_| "rad".to_owned(), |root| format!("rad-{}", root.ino()));
        let mut found = Self::default();
        for controller in Controller::ALL {
            match host.place(controller, given).and_then(|place| place.inside(&name, limits)) {
                Ok(place) => found.add(place),
                Err(reason) => found.missing.push((controller, reason)),
            }
        }
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
        let mut group = RunGroup { places: Vec::new() };
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
        for place in &self.places {
            let _ = fs::remove_dir(&place.directory);
        }
    }
}

impl Place {
    /// The runner's own directory in this place, with a group made in it to see that it works.
    fn inside(mut self, name: &str, limits: &Limits) -> Result<Self, String> {
        let refused = |directory: &Path, error: io::Error| format!("{}: {error}", directory.display());
        if self.version == Version::Two {
            delegate(&self.directory, &self.controllers).map_err(|error| refused(&self.directory, error))?;
        }
        self.directory.push(name);
        make_directory(&self.directory).map_err(|error| refused(&self.directory, error))?;
        let tried = match self.version {
            Version::Two => delegate(&self.directory, &self.controllers),
            Version::One => Ok(()),
        };
        let tried = tried.and_then(|()| self.make("probe", limits));
        tried
            .map(|probe| drop(RunGroup { places: vec![probe] }))
            .map_err(|error| refused(&self.directory, error))?;
        Ok(self)
    }

    /// Makes a group with its limits.
    fn make(&self, name: &str, limits: &Limits) -> io::Result<Self> {
        let made = Self { directory: self.directory.join(name), ..self.clone() };
        make_directory(&made.directory)?;
        for controller in &made.controllers {
            made.limit(*controller, limits)?;
        }
        Ok(made)
    }

    fn limit(&self, controller: Controller, limits: &Limits) -> io::Result<()> {
        let set = |file: &str, value: u64| write(&self.directory, file, &value.to_string());
        let quota = limits.processor.saturating_mul(PERIOD) / 100;
        match (controller, self.version) {
            (Controller::Processes, _) => set("pids.max", limits.processes),
            (Controller::Processor, Version::Two) => {
                write(&self.directory, "cpu.max", &format!("{quota} {PERIOD}"))
            }
            (Controller::Processor, Version::One) => {
                set("cpu.cfs_period_us", PERIOD)?;
                set("cpu.cfs_quota_us", quota)
            }
            (Controller::Memory, Version::Two) => {
                set("memory.max", limits.memory)?;
                // A kernel without swap accounting has no such file.
                optional(set("memory.swap.max", 0))
            }
            (Controller::Memory, Version::One) => {
                set("memory.limit_in_bytes", limits.memory)?;
                optional(set("memory.memsw.limit_in_bytes", limits.memory))
            }
        }
    }
}

impl Host<'_> {
    /// Where groups with this controller could be made.
    fn place(&self, controller: Controller, given: Option<&Path>) -> Result<Place, String> {
        let two = given.map(Path::to_owned).or_else(|| self.directory(None));
        if let Some(directory) = two {
            let offered = fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
            if offered.split_whitespace().any(|name| name == controller.name()) {
                return Ok(Place { directory, version: Version::Two, controllers: vec![controller] });
            }
        }
        self.directory(Some(controller.name()))
            .map(|directory| Place { directory, version: Version::One, controllers: vec![controller] })
            .ok_or_else(|| {
                "no control group with it is delegated to the platform (systemd: Delegate=yes)".to_owned()
            })
    }

    /// The directory of this process's own group: of version 2, or of version 1 with a controller.
    fn directory(&self, controller: Option<&str>) -> Option<PathBuf> {
        let named = |list: &str, name: &str| list.split(',').any(|one| one == name);
        let own = self.groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let fits = controller.map_or(hierarchy == "0", |name| named(controllers, name));
            fits.then_some(path)
        })?;
        self.mounts.lines().find_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            let mount: Vec<&str> = mount.split(' ').collect();
            let (root, point) = (mount.get(3)?, mount.get(4)?);
            let system: Vec<&str> = system.split(' ').collect();
            let fits = match controller {
                None => system.first() == Some(&"cgroup2"),
                Some(name) => system.first() == Some(&"cgroup") && named(system.get(2)?, name),
            };
            // In a container the root of the mount is the container's own group.
            let below = Path::new(own).strip_prefix(root).ok()?;
            fits.then(|| Path::new(point).join(below))
        })
    }
}

/// Lets groups below a group of version 2 have controllers. A group with processes of its own may not do that: those of
/// this process move into one below first.
fn delegate(directory: &Path, controllers: &[Controller]) -> io::Result<()> {
    let wanted: Vec<String> =
        controllers.iter().map(|controller| format!("+{}", controller.name())).collect();
    let enable = || write(directory, "cgroup.subtree_control", &wanted.join(" "));
    match enable() {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
        done => return done,
    }
    let own = std::process::id().to_string();
    let leaf = directory.join("rad-platform");
    make_directory(&leaf)?;
    write(&leaf, "cgroup.procs", &own)?;
    enable().inspect_err(|_| {
        // Others than this process are in the group: all stays as it was.
        let _ = write(directory, "cgroup.procs", &own).and_then(|()| fs::remove_dir(&leaf));
    })
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn write(directory: &Path, file: &str, value: &str) -> io::Result<()> {
    fs::write(directory.join(file), value)
}

fn optional(written: io::Result<()>) -> io::Result<()> {
    match written {
        // The kernel lets nobody make files in a group.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Ok(())
        }
        other => other,
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

    #[test]
    fn the_groups_of_a_process_are_found_where_they_are_mounted() {
        let hybrid = Host {
            groups: "9:name=systemd:/\n4:memory:/tenant/a\n1:cpu,cpuacct:/\n0::/system/rad.service\n",
            mounts: "30 1 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                     31 1 0:27 /tenant /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory\n\
                     32 1 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        };
        let found = [None, Some("memory"), Some("cpu"), Some("pids")].map(|name| hybrid.directory(name));
        let paths = [
            "/sys/fs/cgroup/unified/system/rad.service",
            "/sys/fs/cgroup/memory/a",
            "/sys/fs/cgroup/cpu,cpuacct/",
        ];
        assert_eq!(found[..3], paths.map(|path| Some(PathBuf::from(path))));
        assert_eq!(found[3], None);
    }

    /// A directory that looks like a delegated group of version 2; the kernel's part is not played.
    #[test]
    fn a_group_of_version_2_is_set_up_with_its_limits() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpuset cpu memory pids\n").unwrap();
        let limits = Limits::default();
        let groups = Cgroups::find(root.path(), Some(root.path()), &limits);
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

    #[test]
    fn what_is_missing_is_said() {
        let root = tempfile::tempdir().unwrap();
        let nothing = Host { groups: "", mounts: "" };
        let reason = nothing.place(Controller::Memory, Some(root.path())).unwrap_err();
        assert!(reason.contains("Delegate=yes"), "{reason}");
    }
}
