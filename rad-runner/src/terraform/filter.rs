//! The system calls that module code is refused. They reach past namespaces, as keyrings do, or into corners of the kernel
//! that no engine or provider has use for. The kernel applies the list as a seccomp filter, which bubblewrap installs; see
//! seccomp(2).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, sock_filter};

/// The refused calls; asked for, each answers that it is not permitted.
const REFUSED: [i64; 35] = [
    // Keyrings belong to users and sessions, not to namespaces.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Programs in the kernel, and what looks into it.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_syslog,
    // Another kernel, or more of this one.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    // Files past the mounts, other mounts, other namespaces.
    libc::SYS_open_by_handle_at,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_vhangup,
];

/// Added to a call's number where a program of x86-64 has short pointers.
const X32: i64 = 0x4000_0000;

/// Writes the filter into a directory that module code does not see; `None` where there is none for this processor.
pub(super) fn write(directory: &Path) -> io::Result<Option<PathBuf>> {
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(None) };
    let program = program(processor).map_err(io::Error::other)?;
    let path = directory.join("refused-calls.bpf");
    let mut file = std::fs::File::create(&path)?;
    for sock_filter { code, jt, jf, k } in program {
        file.write_all(&code.to_ne_bytes())?;
        file.write_all(&[jt, jf])?;
        file.write_all(&k.to_ne_bytes())?;
    }
    Ok(Some(path))
}

/// Programs of another kind than the machine's own, whose calls have other numbers, are killed.
fn program(processor: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    let calls = REFUSED.into_iter().flat_map(|call| [call, call | X32]);
    let rules: BTreeMap<_, _> = calls.map(|call| (call, Vec::new())).collect();
    let refused = SeccompAction::Errno(Errno::PERM.raw_os_error().unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, processor)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_written_as_the_kernel_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path()).unwrap().unwrap();
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes.len() % 8, 0, "instructions of eight bytes");
        // BPF_LD | BPF_W | BPF_ABS of the processor, at offset 4.
        assert_eq!((bytes[0], bytes[4]), (0x20, 4));
    }
}
