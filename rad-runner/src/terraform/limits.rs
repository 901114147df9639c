//! What a run may take of the machine.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::config::ConfigError;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;

/// What one run may take of the machine. How each limit is enforced here, and whether it is, says
/// [`TerraformRunner::enforcement`](super::TerraformRunner::enforcement).
///
/// ```
/// use rad_runner::terraform::{Limits, TerraformConfig};
///
/// let limits = Limits { memory: 2 << 30, ..Limits::default() };
/// assert_eq!(TerraformConfig::builder("/var/lib/rad/runs").limits(limits).build()?.limits.memory, 2 << 30);
/// let error = TerraformConfig::builder("/runs").limits(Limits { memory: 1, ..limits }).build().unwrap_err();
/// assert_eq!(error.field, "limits.memory");
/// # Ok::<(), rad_runner::terraform::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of memory, `/tmp` included; 64 MiB to 16 TiB, by default 4 GiB.
    pub memory: u64,
    /// Processor time in hundredths of one processor; 10 to 100,000, by default 200, which is two processors.
    pub processor: u64,
    /// Processes and threads at the same time; 64 to 100,000, by default 2,048 (each provider takes some twenty).
    pub processes: u64,
    /// Bytes in the run's directory, providers that are not in a cache included; 16 MiB to 16 TiB, by default 8 GiB.
    pub disk: u64,
    /// Files and directories in the run's directory; 1,000 to 100,000,000, by default 500,000.
    pub files: u64,
    /// Bytes in the run's `/tmp`, which is kept in memory; 1 MiB to 16 TiB, by default 1 GiB.
    pub tmp: u64,
    /// Bytes in one file; 1 MiB to 16 TiB, by default 2 GiB.
    pub file_size: u64,
    /// Files that one process may have open; 64 to 1,000,000, by default 4,096.
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 4 * GIB,
            processor: 200,
            processes: 2_048,
            disk: 8 * GIB,
            files: 500_000,
            tmp: GIB,
            file_size: 2 * GIB,
            open_files: 4_096,
        }
    }
}

impl Limits {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that is out of its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        type Shown = fn(u64) -> String;
        let (size, count): (Shown, Shown) = (bytes, |count| count.to_string());
        let fields: [(&'static str, u64, RangeInclusive<u64>, Shown); 8] = [
            ("limits.memory", self.memory, 64 * MIB..=16 * TIB, size),
            ("limits.processor", self.processor, 10..=100_000, count),
            ("limits.processes", self.processes, 64..=100_000, count),
            ("limits.disk", self.disk, 16 * MIB..=16 * TIB, size),
            ("limits.files", self.files, 1_000..=100_000_000, count),
            ("limits.tmp", self.tmp, MIB..=16 * TIB, size),
            ("limits.file_size", self.file_size, MIB..=16 * TIB, size),
            ("limits.open_files", self.open_files, 64..=1_000_000, count),
        ];
        for (field, value, bounds, shown) in fields {
            if !bounds.contains(&value) {
                let reason = format!(
                    "{} is not between {} and {}",
                    shown(value),
                    shown(*bounds.start()),
                    shown(*bounds.end())
                );
                return Err(ConfigError { field, reason });
            }
        }
        Ok(())
    }
}

/// A number of bytes as people read it.
pub(super) fn bytes(count: u64) -> String {
    match count {
        TIB.. if count.is_multiple_of(TIB) => format!("{} TiB", count / TIB),
        GIB.. if count.is_multiple_of(GIB) => format!("{} GiB", count / GIB),
        MIB.. => format!("{} MiB", count / MIB),
        _ => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_bounds() {
        Limits::default().check().unwrap();
        let none = Limits { files: 0, ..Limits::default() };
        let error = none.check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the runner's limits.files cannot be used: 0 is not between 1000 and 100000000"
        );
        let error = Limits { memory: 10, ..Limits::default() }.check().unwrap_err();
        assert_eq!(error.reason, "10 bytes is not between 64 MiB and 16 TiB");
        let read: Limits = serde_json::from_str(r#"{"tmp": 2097152}"#).unwrap();
        assert_eq!(read, Limits { tmp: 2 * MIB, ..Limits::default() });
        assert!(serde_json::from_str::<Limits>(r#"{"tmpfs": 1}"#).is_err());
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit_that_fits() {
        assert_eq!([2 * TIB, 4 * GIB, 1536 * MIB, 10].map(bytes), ["2 TiB", "4 GiB", "1536 MiB", "10 bytes"]);
    }
}
