//! Where the control groups of this process are, and whether groups can be made below them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::place::{Controller, Place, Version, make_directory, write};

/// What a process reads about its groups and where they are mounted.
pub(super) struct Host<'a> {
    pub(super) groups: &'a str,
    pub(super) mounts: &'a str,
}

impl Host<'_> {
    /// Where groups with this controller could be made.
    pub(super) fn place(&self, controller: Controller, given: Option<&Path>) -> Result<Place, String> {
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
pub(super) fn delegate(directory: &Path, controllers: &[Controller]) -> io::Result<()> {
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

    #[test]
    fn what_is_missing_is_said() {
        let root = tempfile::tempdir().unwrap();
        let nothing = Host { groups: "", mounts: "" };
        let reason = nothing.place(Controller::Memory, Some(root.path())).unwrap_err();
        assert!(reason.contains("Delegate=yes"), "{reason}");
    }
}
