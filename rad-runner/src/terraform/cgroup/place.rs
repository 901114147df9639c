//! A directory in which the groups of runs are made, and their limits.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::host::delegate;
use crate::terraform::limits::Limits;

/// In how many microseconds processor time is measured out.
const PERIOD: u64 = 100_000;

/// A kind of control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::terraform) enum Controller {
    Memory,
    Processor,
    Processes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A directory in which groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
}

impl Controller {
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Processor, Self::Processes];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processor => "cpu",
            Self::Processes => "pids",
        }
    }
}

impl Place {
    /// A directory of the runner's own in this place, with a group made in it to see that it works. `owned` has the locks of
    /// those that are the runner's already, and the new one's from then on.
    pub(super) fn inside(
        mut self,
        name: &str,
        limits: &Limits,
        owned: &mut Vec<(PathBuf, File)>,
    ) -> Result<Self, String> {
        let refused = |directory: &Path, error: io::Error| format!("{}: {error}", directory.display());
        if self.version == Version::Two {
            delegate(&self.directory, &self.controllers).map_err(|error| refused(&self.directory, error))?;
        }
        self.directory.push(name);
        if !owned.iter().any(|(directory, _)| *directory == self.directory) {
            let lock = own(&self.directory).map_err(|error| refused(&self.directory, error))?;
            owned.push((self.directory.clone(), lock));
        }
        let tried = match self.version {
            Version::Two => delegate(&self.directory, &self.controllers),
            Version::One => Ok(()),
        };
        let tried = tried.and_then(|()| self.make("probe", limits));
        let probe = tried.map_err(|error| refused(&self.directory, error))?;
        let _ = fs::remove_dir(probe.directory);
        Ok(self)
    }

    /// Makes a group with its limits.
    pub(super) fn make(&self, name: &str, limits: &Limits) -> io::Result<Self> {
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

/// Makes a runner's directory, and locks it for as long as the file is open.
fn own(directory: &Path) -> io::Result<File> {
    loop {
        make_directory(directory)?;
        let file = File::open(directory)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another runner works in it")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Another runner may have swept it away before it was locked.
        if fs::metadata(directory)
            .is_ok_and(|found| file.metadata().is_ok_and(|ours| ours.ino() == found.ino()))
        {
            return Ok(file);
        }
    }
}

/// Removes the directories of runners beside `own` that were killed: nobody holds their locks.
pub(super) fn sweep(own: &Path) {
    let Some(parent) = own.parent() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == own || !entry.file_name().to_str().is_some_and(is_runners) {
            continue;
        }
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            // What holds processes still stays for another time.
            fs::read_dir(&path)
                .into_iter()
                .flatten()
                .flatten()
                .for_each(|run| drop(fs::remove_dir(run.path())));
            let _ = fs::remove_dir(&path);
        }
    }
}

/// The name of the directory of the runner that works in `work_root`: two runners of one machine share none.
pub(super) fn name_of(work_root: &Path) -> String {
    fs::metadata(work_root)
        .map_or_else(|_| "rad-0".to_owned(), |root| format!("rad-{}-{}", root.dev(), root.ino()))
}

fn is_runners(name: &str) -> bool {
    name.strip_prefix("rad-").is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|character| character.is_ascii_digit() || character == '-')
    })
}

pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn write(directory: &Path, file: &str, value: &str) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_runners_left_is_swept_and_what_others_work_in_stays() {
        let root = tempfile::tempdir().unwrap();
        let [ours, killed, others, foreign] =
            ["rad-1-1", "rad-1-2", "rad-3", "rad-platform"].map(|name| root.path().join(name));
        let _ours = own(&ours).unwrap();
        drop(own(&killed).unwrap());
        fs::create_dir(killed.join("a run")).unwrap();
        let _others = own(&others).unwrap();
        fs::create_dir(&foreign).unwrap();
        assert!(own(&others).unwrap_err().to_string().contains("another runner"));
        sweep(&ours);
        assert_eq!([&ours, &killed, &others, &foreign].map(|path| path.exists()), [true, false, true, true]);
    }
}
