//! How the Terraform runner is set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::mirror::ProviderMirror;
use super::network::Network;

/// The setup of a [`TerraformRunner`](super::TerraformRunner).
///
/// ```
/// use rad_runner::terraform::{Network, TerraformConfig};
///
/// let config = TerraformConfig::builder("/var/lib/rad/runs").network(Network::Off).build()?;
/// assert_eq!(config.network, Network::Off);
/// assert!(TerraformConfig::builder("relative/path").build().is_err());
/// assert!(TerraformConfig::builder("/two\nlines").build().is_err());
/// # Ok::<(), rad_runner::terraform::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TerraformConfig {
    /// Where the private directories of runs are made; an absolute path that no other process uses.
    pub work_root: PathBuf,
    /// The engine to run; otherwise [the one that is found](super::find_engine).
    #[serde(default)]
    pub engine: Option<PathBuf>,
    /// A directory in which providers are kept between runs. Module code sees it, and cannot write to it. One run at a time fills
    /// it; a run that has waited 10 s for its turn fetches its providers for itself.
    #[serde(default)]
    pub plugin_cache: Option<PathBuf>,
    /// Where providers come from instead of their registries; not together with `cli_config`, which can name mirrors of its
    /// own.
    #[serde(default)]
    pub provider_mirror: Option<ProviderMirror>,
    /// A CLI configuration file for the engine.
    #[serde(default)]
    pub cli_config: Option<PathBuf>,
    /// What runs reach over the network.
    #[serde(default)]
    pub network: Network,
    /// What each run may take of the machine.
    #[serde(default)]
    pub limits: Limits,
    /// A control group (version 2) delegated to the platform, in which runs get theirs; otherwise the platform's own.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// Whether module code may run without a sandbox where bubblewrap is missing: it then sees whatever the platform
    /// sees, its database and other tenants included.
    #[serde(default)]
    pub allow_unsandboxed: bool,
    /// How long an engine that was told to stop may take before it is killed.
    #[serde(default = "grace")]
    pub grace: Duration,
    /// How long an engine may go on while the process that started it stands still (stopped, or frozen). Less than a lease
    /// lasts after it was last lengthened, so that no engine works on without one; a lease of 15 s that is lengthened every
    /// 3 s leaves room for 10 s.
    #[serde(default = "patience")]
    pub patience: Duration,
    /// How many bytes of log one run may write; what follows is read and dropped.
    #[serde(default = "log_limit")]
    pub log_limit: u64,
}

impl TerraformConfig {
    /// Starts with the directory in which runs get theirs.
    pub fn builder(work_root: impl Into<PathBuf>) -> TerraformConfigBuilder {
        TerraformConfigBuilder {
            config: Self {
                work_root: work_root.into(),
                engine: None,
                plugin_cache: None,
                provider_mirror: None,
                cli_config: None,
                network: Network::default(),
                limits: Limits::default(),
                cgroup: None,
                allow_unsandboxed: false,
                grace: grace(),
                patience: patience(),
                log_limit: log_limit(),
            },
        }
    }

    /// Checks what can be checked without touching the file system.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let absolute = |field, path: &Path| {
            let reason = match path.is_absolute() {
                true if !path.to_string_lossy().contains(char::is_control) => return Ok(()),
                true => format!("{path:?} has control characters in it"),
                false => format!("{} is not an absolute path", path.display()),
            };
            Err(ConfigError { field, reason })
        };
        absolute("work_root", &self.work_root)?;
        self.limits.check()?;
        for (field, path) in [
            ("engine", &self.engine),
            ("plugin_cache", &self.plugin_cache),
            ("cli_config", &self.cli_config),
            ("cgroup", &self.cgroup),
        ] {
            path.as_deref().map_or(Ok(()), |path| absolute(field, path))?;
        }
        if self.work_root.starts_with("/usr") {
            let reason =
                "module code sees /usr: choose a directory outside, such as below /var/lib".to_owned();
            return Err(ConfigError { field: "work_root", reason });
        }
        if self.plugin_cache.as_ref().is_some_and(|cache| cache.starts_with(&self.work_root)) {
            let reason = "it lies inside work_root, which is cleared".to_owned();
            return Err(ConfigError { field: "plugin_cache", reason });
        }
        if let Some(mirror) = &self.provider_mirror {
            mirror
                .check()
                .map_err(|wrong| ConfigError { field: "provider_mirror", reason: wrong.to_string() })?;
        }
        if self.provider_mirror.is_some() && self.cli_config.is_some() {
            let reason =
                "a cli_config is given, too: name the mirror in that file, or leave one out".to_owned();
            return Err(ConfigError { field: "provider_mirror", reason });
        }
        if !(Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&self.grace) {
            let reason = format!("{:?} is not between a millisecond and an hour", self.grace);
            return Err(ConfigError { field: "grace", reason });
        }
        if !(Duration::from_secs(3)..=Duration::from_secs(3600)).contains(&self.patience) {
            let reason = format!("{:?} is not between 3 seconds and an hour", self.patience);
            return Err(ConfigError { field: "patience", reason });
        }
        Ok(())
    }
}

/// Builds a [`TerraformConfig`].
#[derive(Debug, Clone)]
pub struct TerraformConfigBuilder {
    config: TerraformConfig,
}

impl TerraformConfigBuilder {
    /// Runs this engine instead of [the one that is found](super::find_engine).
    #[must_use]
    pub fn engine(mut self, engine: impl Into<PathBuf>) -> Self {
        self.config.engine = Some(engine.into());
        self
    }

    /// Keeps providers between runs in this directory.
    #[must_use]
    pub fn plugin_cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config.plugin_cache = Some(directory.into());
        self
    }

    /// Takes providers from a mirror instead of their registries.
    #[must_use]
    pub fn provider_mirror(mut self, mirror: ProviderMirror) -> Self {
        self.config.provider_mirror = Some(mirror);
        self
    }

    /// Gives the engine a CLI configuration file.
    #[must_use]
    pub fn cli_config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.cli_config = Some(file.into());
        self
    }

    /// What runs reach over the network; the internet by default.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.config.network = network;
        self
    }

    /// What each run may take of the machine.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Makes the control groups of runs in this one.
    #[must_use]
    pub fn cgroup(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config.cgroup = Some(directory.into());
        self
    }

    /// Whether module code may run without a sandbox; see [`TerraformConfig::allow_unsandboxed`].
    #[must_use]
    pub fn allow_unsandboxed(mut self, allow: bool) -> Self {
        self.config.allow_unsandboxed = allow;
        self
    }

    /// How long an engine that was told to stop may take; 30 seconds by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// How long an engine may go on while this process stands still; 10 s by default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.config.patience = patience;
        self
    }

    /// How many bytes of log one run may write; 16 MiB by default.
    #[must_use]
    pub fn log_limit(mut self, bytes: u64) -> Self {
        self.config.log_limit = bytes;
        self
    }

    /// The setup.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that is wrong.
    pub fn build(self) -> Result<TerraformConfig, ConfigError> {
        self.config.check()?;
        Ok(self.config)
    }
}

/// A field of a setup that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the runner's {field} cannot be used: {reason}")]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

fn patience() -> Duration {
    Duration::from_secs(10)
}

pub(super) fn grace() -> Duration {
    Duration::from_secs(30)
}

pub(super) fn log_limit() -> u64 {
    rad_core::deployment::LOG_LIMIT
}
