//! The options about runs: what carries them out, how many at a time, what each may take and reach.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use rad_core::deployment::{LOG_LIMIT, LeaseLimits};
use rad_core::runner::RunLimits;
use rad_runner::terraform::{Internet, Ipv4Net, Limits, Network, ProviderMirror};
use serde::Deserialize;

use super::values::{NetworkPolicy, Range, Size};
use super::{ConfigError, MINUTES_OF_A_WEEK, between};

/// The shortest log that is worth keeping.
const SHORTEST_LOG: u64 = 64 * 1024;

/// The options about runs, none of them set for certain.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// The tofu or terraform to run [default: tofu, then terraform, on the PATH]
    #[arg(long, env = "RAD_TERRAFORM", value_name = "FILE")]
    pub terraform: Option<PathBuf>,
    /// How many deployments run at the same time, 1 to 64 [default: 2]
    #[arg(long, env = "RAD_WORKERS", value_name = "NUMBER")]
    pub workers: Option<u32>,
    /// How many deployments of one account run at the same time, at least 1; accounts take turns, but a run keeps its place until it
    /// ends: less than there are on all workers keeps a place for the others [default: no limit]
    #[arg(long, env = "RAD_RUNS_PER_OWNER", value_name = "NUMBER")]
    pub runs_per_owner: Option<u32>,
    /// How many deployments run at the same time on all workers together, at least 1 [default: no limit]
    #[arg(long, env = "RAD_RUNS_TOTAL", value_name = "NUMBER")]
    pub runs_total: Option<u32>,
    /// Seconds after which a worker that is not heard of any more has lost its deployments, 6 to 3600 [default: 15]
    #[arg(long, env = "RAD_LEASE_SECONDS", value_name = "SECONDS")]
    pub lease_seconds: Option<u32>,
    /// What module code reaches over the network; host is for trusted modules only [default: internet]
    #[arg(long, env = "RAD_NETWORK", value_name = "POLICY")]
    pub network: Option<NetworkPolicy>,
    /// IPv4 ranges that module code reaches though they are not the internet, with commas between them; addresses of the host
    /// and of the cloud's metadata need to be named alone
    #[arg(long, env = "RAD_NETWORK_ALLOW", value_name = "RANGES", value_delimiter = ',')]
    pub network_allow: Option<Vec<Range>>,
    /// The name server that answers module code [default: the first of the host's that is not its loopback]
    #[arg(long, env = "RAD_NETWORK_RESOLVER", value_name = "ADDRESS")]
    pub network_resolver: Option<Ipv4Addr>,
    /// Where providers come from instead of their registries: a directory as `terraform providers mirror` fills it, or the
    /// https address of a network mirror
    #[arg(long, env = "RAD_PROVIDER_MIRROR", value_name = "DIR|URL")]
    pub provider_mirror: Option<ProviderMirror>,
    /// A CLI configuration file for tofu or terraform; module code can read it
    #[arg(long, env = "RAD_TERRAFORM_CONFIG", value_name = "FILE")]
    pub terraform_config: Option<PathBuf>,
    /// Memory of a run, 64MiB to 16TiB [default: 4GiB]
    #[arg(long, env = "RAD_RUN_MEMORY", value_name = "SIZE")]
    pub run_memory: Option<Size>,
    /// Processor time of a run in per cent of one processor, 10 to 100000 [default: 200]
    #[arg(long, env = "RAD_RUN_PROCESSOR", value_name = "PERCENT")]
    pub run_processor: Option<u64>,
    /// Processes and threads of a run, 64 to 100000 [default: 2048]
    #[arg(long, env = "RAD_RUN_PROCESSES", value_name = "NUMBER")]
    pub run_processes: Option<u64>,
    /// Size of a run's directory, 16MiB to 16TiB [default: 8GiB]
    #[arg(long, env = "RAD_RUN_DISK", value_name = "SIZE")]
    pub run_disk: Option<Size>,
    /// Files in a run's directory, 1000 to 100000000 [default: 500000]
    #[arg(long, env = "RAD_RUN_FILES", value_name = "NUMBER")]
    pub run_files: Option<u64>,
    /// Size of a run's /tmp, which is kept in memory, 1MiB to 16TiB [default: 1GiB]
    #[arg(long, env = "RAD_RUN_TMP", value_name = "SIZE")]
    pub run_tmp: Option<Size>,
    /// Size of one file of a run, 1MiB to 16TiB [default: 2GiB]
    #[arg(long, env = "RAD_RUN_FILE_SIZE", value_name = "SIZE")]
    pub run_file_size: Option<Size>,
    /// Files that one process of a run has open, 64 to 1000000 [default: 4096]
    #[arg(long, env = "RAD_RUN_OPEN_FILES", value_name = "NUMBER")]
    pub run_open_files: Option<u64>,
    /// Log that is kept of a run, 64KiB to 16MiB; the rest is left out [default: 16MiB]
    #[arg(long, env = "RAD_RUN_LOG", value_name = "SIZE")]
    pub run_log: Option<Size>,
    /// Minutes that a run may take, 1 to 10080 [default: 60]
    #[arg(long, env = "RAD_RUN_MINUTES", value_name = "MINUTES")]
    pub run_minutes: Option<u32>,
    /// Minutes that fetching providers may take, 1 to 10080 [default: 15]
    #[arg(long, env = "RAD_INIT_MINUTES", value_name = "MINUTES")]
    pub init_minutes: Option<u32>,
    /// Minutes that planning may take, 1 to 10080 [default: 15]
    #[arg(long, env = "RAD_PLAN_MINUTES", value_name = "MINUTES")]
    pub plan_minutes: Option<u32>,
    /// Minutes that applying may take, 1 to 10080 [default: 60]
    #[arg(long, env = "RAD_APPLY_MINUTES", value_name = "MINUTES")]
    pub apply_minutes: Option<u32>,
    /// Minutes that a purge may try to destroy what there is, 1 to 10080 [default: 5]
    #[arg(long, env = "RAD_PURGE_MINUTES", value_name = "MINUTES")]
    pub purge_minutes: Option<u32>,
    /// A control group (version 2) delegated to the portal, in which runs get theirs [default: the portal's own]
    #[arg(long, env = "RAD_CGROUP", value_name = "DIR")]
    pub cgroup: Option<PathBuf>,
    /// Run modules without a sandbox where bubblewrap does not work: module code then sees what the portal sees
    #[arg(long, env = "RAD_ALLOW_UNSANDBOXED", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub allow_unsandboxed: Option<bool>,
    /// Have runs done by Jobs of a Kubernetes cluster: a TOML file with namespace, image and whatever else rad-runner's
    /// KubernetesConfig has; the cluster is that of the pod or of the kubeconfig. Needs a portal built with the feature kubernetes
    #[arg(long, env = "RAD_KUBERNETES", value_name = "FILE")]
    pub kubernetes: Option<PathBuf>,
}

/// What carries runs out, how many at a time, and what each may take and reach; complete and checked.
#[derive(Debug, Clone)]
pub struct Runs {
    /// The engine to run, if it is not to be searched for.
    pub terraform: Option<PathBuf>,
    /// How many run at the same time in this process.
    pub workers: usize,
    /// How many run at the same time on all workers together, and of one account.
    pub most: LeaseLimits,
    /// How long a worker is waited for that is not heard of.
    pub lease: Duration,
    /// What module code reaches.
    pub network: Network,
    /// Where providers come from, if not from their registries.
    pub provider_mirror: Option<ProviderMirror>,
    /// The engine's own configuration file.
    pub terraform_config: Option<PathBuf>,
    /// What each run may take of the machine.
    pub limits: Limits,
    /// How many bytes of log are kept of each.
    pub log: u64,
    /// How long each may take, and its steps.
    pub times: RunLimits,
    /// How long a purge may try to destroy what there is.
    pub purge: Duration,
    /// The control group in which runs get theirs, if it is not the portal's own.
    pub cgroup: Option<PathBuf>,
    /// Whether modules may run without a sandbox.
    pub allow_unsandboxed: bool,
    /// The file that says how a Kubernetes cluster does the runs.
    pub kubernetes: Option<PathBuf>,
}

impl RunOptions {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            terraform: self.terraform.or(other.terraform),
            workers: self.workers.or(other.workers),
            runs_per_owner: self.runs_per_owner.or(other.runs_per_owner),
            runs_total: self.runs_total.or(other.runs_total),
            lease_seconds: self.lease_seconds.or(other.lease_seconds),
            network: self.network.or(other.network),
            network_allow: self.network_allow.or(other.network_allow),
            network_resolver: self.network_resolver.or(other.network_resolver),
            provider_mirror: self.provider_mirror.or(other.provider_mirror),
            terraform_config: self.terraform_config.or(other.terraform_config),
            run_memory: self.run_memory.or(other.run_memory),
            run_processor: self.run_processor.or(other.run_processor),
            run_processes: self.run_processes.or(other.run_processes),
            run_disk: self.run_disk.or(other.run_disk),
            run_files: self.run_files.or(other.run_files),
            run_tmp: self.run_tmp.or(other.run_tmp),
            run_file_size: self.run_file_size.or(other.run_file_size),
            run_open_files: self.run_open_files.or(other.run_open_files),
            run_log: self.run_log.or(other.run_log),
            run_minutes: self.run_minutes.or(other.run_minutes),
            init_minutes: self.init_minutes.or(other.init_minutes),
            plan_minutes: self.plan_minutes.or(other.plan_minutes),
            apply_minutes: self.apply_minutes.or(other.apply_minutes),
            purge_minutes: self.purge_minutes.or(other.purge_minutes),
            cgroup: self.cgroup.or(other.cgroup),
            allow_unsandboxed: self.allow_unsandboxed.or(other.allow_unsandboxed),
            kubernetes: self.kubernetes.or(other.kubernetes),
        }
    }

    /// The options about the engine on this machine, by name, that are given.
    fn for_this_machine(&self) -> impl Iterator<Item = &'static str> {
        [
            ("terraform", self.terraform.is_some()),
            ("network", self.network.is_some()),
            ("network-allow", self.network_allow.is_some()),
            ("network-resolver", self.network_resolver.is_some()),
            ("provider-mirror", self.provider_mirror.is_some()),
            ("terraform-config", self.terraform_config.is_some()),
            ("run-memory", self.run_memory.is_some()),
            ("run-processor", self.run_processor.is_some()),
            ("run-processes", self.run_processes.is_some()),
            ("run-disk", self.run_disk.is_some()),
            ("run-files", self.run_files.is_some()),
            ("run-tmp", self.run_tmp.is_some()),
            ("run-file-size", self.run_file_size.is_some()),
            ("run-open-files", self.run_open_files.is_some()),
            ("run-log", self.run_log.is_some()),
            ("cgroup", self.cgroup.is_some()),
            ("allow-unsandboxed", self.allow_unsandboxed.is_some()),
        ]
        .into_iter()
        .filter_map(|(option, given)| given.then_some(option))
    }

    /// Fills in the defaults and checks the bounds.
    pub(super) fn check(self) -> Result<Runs, ConfigError> {
        if let (Some(cluster), Some(option)) = (&self.kubernetes, self.for_this_machine().next()) {
            return Err(ConfigError::Bounds {
                option: option.to_owned(),
                reason: format!(
                    "a cluster carries runs out, and does not know it: leave it out, and say it in {}",
                    cluster.display()
                ),
            });
        }
        for (option, given) in [("runs-per-owner", self.runs_per_owner), ("runs-total", self.runs_total)] {
            if given == Some(0) {
                return Err(ConfigError::new(
                    option,
                    0,
                    "with none at a time, none would ever run: leave it out for no limit",
                ));
            }
        }
        if self.provider_mirror.is_some() && self.terraform_config.is_some() {
            let reason =
                "provider-mirror is given, too: name the mirror in that file, or leave one of them out";
            let value = self.terraform_config.unwrap_or_default();
            return Err(ConfigError::new("terraform-config", value.display(), reason));
        }
        let workers = between("workers", self.workers, 2, 1, 64, "deployments at the same time")?;
        let lease = between("lease-seconds", self.lease_seconds, 15, 6, 3600, "seconds")?;
        let log = self.run_log.unwrap_or(Size::of(LOG_LIMIT));
        if !(SHORTEST_LOG..=LOG_LIMIT).contains(&log.bytes()) {
            let reason = format!("a log has between {} and {}", Size::of(SHORTEST_LOG), Size::of(LOG_LIMIT));
            return Err(ConfigError::new("run-log", log, reason));
        }
        let (times, purge) = self.times()?;
        Ok(Runs {
            network: self.network()?,
            limits: self.limits()?,
            times,
            purge,
            most: LeaseLimits { per_owner: self.runs_per_owner, total: self.runs_total },
            terraform: self.terraform,
            workers: workers as usize,
            lease: Duration::from_secs(lease.into()),
            provider_mirror: self.provider_mirror,
            terraform_config: self.terraform_config,
            log: log.bytes(),
            cgroup: self.cgroup,
            allow_unsandboxed: self.allow_unsandboxed.unwrap_or(false),
            kubernetes: self.kubernetes,
        })
    }

    fn network(&self) -> Result<Network, ConfigError> {
        let policy = self.network.unwrap_or_default();
        let only = |option, value: String| {
            let reason = "only --network internet has it: leave it out, or choose that policy";
            Err(ConfigError::new(option, value, reason))
        };
        let allow: Vec<Ipv4Net> = self.network_allow.iter().flatten().map(|range| range.net()).collect();
        match (policy, allow.first(), self.network_resolver) {
            (NetworkPolicy::Internet, _, resolver) => Ok(Network::Internet(Internet { allow, resolver })),
            (_, Some(first), _) => only("network-allow", first.to_string()),
            (_, None, Some(resolver)) => only("network-resolver", resolver.to_string()),
            (NetworkPolicy::Off, None, None) => Ok(Network::Off),
            (NetworkPolicy::Host, None, None) => Ok(Network::Host),
        }
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let bytes = |given: Option<Size>, default| given.map_or(default, |size| size.bytes());
        let limits = Limits {
            memory: bytes(self.run_memory, default.memory),
            processor: self.run_processor.unwrap_or(default.processor),
            processes: self.run_processes.unwrap_or(default.processes),
            disk: bytes(self.run_disk, default.disk),
            files: self.run_files.unwrap_or(default.files),
            tmp: bytes(self.run_tmp, default.tmp),
            file_size: bytes(self.run_file_size, default.file_size),
            open_files: self.run_open_files.unwrap_or(default.open_files),
        };
        limits.check().map_err(|wrong| ConfigError::Bounds {
            option: wrong.field.replace("limits.", "run-").replace('_', "-"),
            reason: wrong.reason,
        })?;
        Ok(limits)
    }

    fn times(&self) -> Result<(RunLimits, Duration), ConfigError> {
        let minutes = |option, given, default| {
            let minutes = between(option, given, default, 1, MINUTES_OF_A_WEEK, "minutes")?;
            Ok(Duration::from_secs(60 * u64::from(minutes)))
        };
        let times = RunLimits {
            whole: minutes("run-minutes", self.run_minutes, 60)?,
            init: minutes("init-minutes", self.init_minutes, 15)?,
            plan: minutes("plan-minutes", self.plan_minutes, 15)?,
            apply: minutes("apply-minutes", self.apply_minutes, 60)?,
        };
        Ok((times, minutes("purge-minutes", self.purge_minutes, 5)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: RunOptions) -> String {
        options.check().unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_is_as_the_runner_has_it() {
        let runs = RunOptions::default().check().unwrap();
        assert_eq!((runs.limits, runs.network, runs.log), (Limits::default(), Network::default(), LOG_LIMIT));
        assert_eq!((runs.workers, runs.most), (2, LeaseLimits::default()));
    }

    #[test]
    fn refusals_name_the_option_the_value_and_the_mend() {
        let none = RunOptions::default;
        let allow = || Some(vec!["10.1.2.3".parse().unwrap()]);
        for (options, words) in [
            (RunOptions { workers: Some(65), ..none() }, ["workers", "65", "1 to 64"]),
            (RunOptions { lease_seconds: Some(5), ..none() }, ["lease-seconds", "5", "6 to 3600"]),
            (RunOptions { runs_total: Some(0), ..none() }, ["runs-total", "0", "leave it out"]),
            (RunOptions { run_memory: Some(Size::of(1 << 20)), ..none() }, ["run-memory", "1 MiB", "64 MiB"]),
            (RunOptions { run_open_files: Some(1), ..none() }, ["run-open-files", "1 is not", "64"]),
            (RunOptions { run_log: Some(Size::of(1 << 30)), ..none() }, ["run-log", "1GiB", "16MiB"]),
            (RunOptions { plan_minutes: Some(0), ..none() }, ["plan-minutes", "0", "1 to 10080"]),
            (
                RunOptions { network: Some(NetworkPolicy::Off), network_allow: allow(), ..none() },
                ["network-allow", "10.1.2.3/32", "--network internet"],
            ),
            (
                RunOptions {
                    kubernetes: Some("/etc/cluster.toml".into()),
                    network: Some(NetworkPolicy::Off),
                    ..none()
                },
                ["network", "cluster carries runs out", "/etc/cluster.toml"],
            ),
            (
                RunOptions {
                    terraform_config: Some("/etc/tofurc".into()),
                    provider_mirror: Some("/srv/providers".parse().unwrap()),
                    ..none()
                },
                ["terraform-config", "/etc/tofurc", "leave one"],
            ),
        ] {
            let refusal = refused(options);
            assert!(words.iter().all(|word| refusal.contains(word)), "{refusal}");
        }
    }
}
