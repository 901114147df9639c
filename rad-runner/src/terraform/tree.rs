//! Directories that module code filled: measured and removed without following links, whatever is in them.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rad_core::id::RunId;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Directories further down than this are not looked into; no module has reason to.
const DEEPEST: usize = 128;

/// What lies in a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes on the disk.
    pub(super) bytes: u64,
    /// Files and directories.
    pub(super) files: u64,
    /// Whether directories lie deeper than is looked.
    pub(super) too_deep: bool,
}

/// Measures a directory while others change it; stops once it holds more than so many files.
pub(super) fn usage(root: &Path, most_files: u64) -> io::Result<Usage> {
    let mut usage = Usage::default();
    let mut open_directories = vec![Dir::read_from(open(root, directory(), Mode::empty())?)?];
    loop {
        let deepest = open_directories.len() == DEEPEST;
        let Some(inner) = open_directories.last_mut() else { break };
        let Some(name) = next_name(inner)? else {
            open_directories.pop();
            continue;
        };
        // What is gone by now takes no room.
        let Ok(stat) = statat(inner.fd()?, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        usage.files += 1;
        usage.bytes += u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512);
        if usage.files > most_files {
            break;
        }
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if deepest {
                usage.too_deep = true;
            } else if let Ok(directory) = open_directory(inner.fd()?, &name) {
                open_directories.push(Dir::read_from(directory)?);
            }
        }
    }
    Ok(usage)
}

/// Bytes in files that were deleted and that one of these processes still has open or mapped, on the file system of `root`.
/// What is mapped and not open is counted as far as it is mapped, unless the platform may look at it whole.
pub(super) fn deleted_but_held(root: &Path, processes: &[u32]) -> u64 {
    let Ok(device) = fs::metadata(root).map(|root| root.dev()) else { return 0 };
    let mut held = BTreeMap::new();
    for process in processes {
        for kind in ["fd", "map_files"] {
            for entry in fs::read_dir(format!("/proc/{process}/{kind}")).into_iter().flatten().flatten() {
                if let Ok(file) = fs::metadata(entry.path())
                    && file.nlink() == 0
                    && file.dev() == device
                {
                    held.insert(file.ino(), file.blocks().saturating_mul(512));
                }
            }
        }
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
        for (inode, bytes) in maps.lines().filter_map(|line| mapped_and_deleted(line, device)) {
            let known = held.entry(inode).or_default();
            *known = bytes.max(*known);
        }
    }
    held.values().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes))
}

/// The inode of a deleted file on this device that a line of `/proc/PID/maps` tells of, and how far into it is mapped.
fn mapped_and_deleted(line: &str, device: u64) -> Option<(u64, u64)> {
    let mut fields = line.strip_suffix(" (deleted)")?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    let length = hexadecimal(end)?.checked_sub(hexadecimal(start)?)?;
    let offset = hexadecimal(fields.nth(1)?)?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let (major, minor) = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let inode = fields.next()?.parse().ok()?;
    (rustix::fs::makedev(major, minor) == device).then(|| (inode, offset.saturating_add(length)))
}

/// Removes a directory that nobody else fills any more, with all that is in it; others may remove it at the same time.
pub(super) fn remove(root: &Path) -> io::Result<()> {
    let opened = match open(root, directory(), Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    // What lies too deep is moved up, and met in the next round.
    while clear(&opened)? {}
    match fs::remove_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Whether something lay too deep.
fn clear(root: &OwnedFd) -> io::Result<bool> {
    let mut moved = false;
    let top = match openat(root, c".", directory(), Mode::empty()).and_then(Dir::read_from) {
        Err(Errno::NOENT) => return Ok(false),
        opened => opened?,
    };
    let mut open_directories = vec![(top, CString::default())];
    loop {
        let depth = open_directories.len();
        let Some((inner, _)) = open_directories.last_mut() else { return Ok(moved) };
        let Some(name) = next_name(inner)? else {
            let done = open_directories.pop();
            if let (Some((_, name)), Some((outer, _))) = (done, open_directories.last()) {
                unless_gone(unlinkat(outer.fd()?, &name, AtFlags::REMOVEDIR))?;
            }
            continue;
        };
        match unlinkat(inner.fd()?, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            // POSIX says EPERM where Linux says EISDIR.
            Err(Errno::ISDIR | Errno::PERM) if depth == DEEPEST => {
                // A name that module code cannot have taken.
                unless_gone(renameat(inner.fd()?, &name, root, RunId::new().to_string()))?;
                moved = true;
            }
            Err(Errno::ISDIR | Errno::PERM) => {
                let opened = open_directory(inner.fd()?, &name).and_then(|inner| Ok(Dir::read_from(inner)?));
                match opened {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    opened => open_directories.push((opened?, name)),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What somebody else removed meanwhile is no loss.
fn unless_gone(done: Result<(), Errno>) -> Result<(), Errno> {
    if done == Err(Errno::NOENT) { Ok(()) } else { done }
}

fn next_name(directory: &mut Dir) -> io::Result<Option<CString>> {
    for entry in directory {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            return Ok(Some(entry.file_name().to_owned()));
        }
    }
    Ok(None)
}

/// Opens a directory inside another, also one that module code locked.
fn open_directory(parent: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    let unlocked = |opened: &OwnedFd| {
        rustix::fs::accessat(opened, c".", rustix::fs::Access::WRITE_OK, AtFlags::EACCESS).is_ok()
    };
    match openat(&parent, name, directory(), Mode::empty()) {
        Ok(opened) if unlocked(&opened) => return Ok(opened),
        Ok(_) | Err(Errno::ACCESS) => {}
        Err(error) => return Err(error.into()),
    }
    // By its handle: a link put in its place meanwhile is not followed.
    let handle = openat(&parent, name, directory() | OFlags::PATH, Mode::empty())?;
    fs::set_permissions(format!("/proc/self/fd/{}", handle.as_raw_fd()), Permissions::from_mode(0o700))?;
    Ok(openat(&handle, c".", directory(), Mode::empty())?)
}

fn directory() -> OFlags {
    OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_counted_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/b"), vec![1; 10_000]).unwrap();
        symlink("/", root.path().join("a/everything")).unwrap();
        let found = usage(root.path(), 100).unwrap();
        assert_eq!((found.files, found.too_deep), (3, false));
        assert!((10_000..100_000).contains(&found.bytes), "{found:?}");
        assert_eq!(usage(root.path(), 1).unwrap().files, 2, "stops early");
    }

    #[test]
    fn a_directory_deeper_than_any_stack_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("deep");
        fs::create_dir(&deep).unwrap();
        let mut inner = open(&deep, directory(), Mode::empty()).unwrap();
        for _ in 0..600 {
            rustix::fs::mkdirat(&inner, "d", Mode::RWXU).unwrap();
            inner = openat(&inner, "d", directory(), Mode::empty()).unwrap();
        }
        assert!(usage(&deep, 10_000).unwrap().too_deep);
        remove(&deep).unwrap();
        assert!(!deep.exists());
        remove(&deep).unwrap();
    }

    #[test]
    fn two_may_remove_the_same_at_once() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        for directory in 0..100 {
            for file in 0..20 {
                let inner = run.join(format!("{directory}/{file}"));
                fs::create_dir_all(&inner).unwrap();
                fs::write(inner.join("file"), "x").unwrap();
            }
        }
        std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| remove(&run)));
            both.into_iter().for_each(|one| one.join().unwrap().unwrap());
        });
        assert!(!run.exists());
    }

    #[test]
    fn locked_directories_are_removed_and_what_links_point_to_stays() {
        let root = tempfile::tempdir().unwrap();
        let kept = root.path().join("kept");
        fs::write(&kept, "x").unwrap();
        let run = root.path().join("run");
        fs::create_dir_all(run.join("locked/inner")).unwrap();
        symlink(&kept, run.join("locked/inner/link")).unwrap();
        symlink(root.path(), run.join("everything")).unwrap();
        for name in ["locked/inner", "locked"] {
            fs::set_permissions(run.join(name), Permissions::from_mode(0o0)).unwrap();
        }
        remove(&run).unwrap();
        assert!(!run.exists() && kept.exists());
    }

    #[test]
    fn what_is_deleted_and_still_open_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hidden");
        let open = fs::File::create(&path).unwrap();
        fs::write(&path, vec![1; 100_000]).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(deleted_but_held(root.path(), &[std::process::id()]) >= 100_000);
        drop(open);
    }

    #[test]
    fn what_is_deleted_and_still_mapped_is_told_from_a_line() {
        let device = rustix::fs::makedev(0xfe, 0x10);
        let line =
            "7f00000000-7f00003000 rw-s 00002000 fe:10 4711                       /work/home/x (deleted)";
        assert_eq!(mapped_and_deleted(line, device), Some((4711, 0x5000)));
        assert_eq!(mapped_and_deleted(line, device + 1), None, "elsewhere");
        assert_eq!(
            mapped_and_deleted(line.trim_end_matches(" (deleted)"), device),
            None,
            "counted in its place"
        );
        assert_eq!(mapped_and_deleted("7f00-8000 rw-p (deleted)", device), None);
    }
}
