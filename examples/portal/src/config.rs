//! What the operator sets: by flag, by `RAD_*` environment variable, in a TOML file, in this order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use clap::{Parser, ValueEnum};
use rad_core::seal::Keyring;
use secrecy::SecretString;
use serde::Deserialize;

/// The longest time between two looks at a repository.
const MINUTES_OF_A_DAY: u32 = 24 * 60;

/// The longest time between two checkpoints.
const MINUTES_OF_A_WEEK: u32 = 7 * 24 * 60;

/// A marketplace of Terraform modules.
///
/// Every option can also be set as an environment variable or, under its long name with `_` for `-`, in the file
/// given by --config. A flag wins over the environment, the environment over the file, the file over the default.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "portal", version, max_term_width = 110)]
pub struct Cli {
    /// What this process does [default: all]
    #[arg(value_enum)]
    pub role: Option<Role>,
    /// A TOML file with the options below
    #[arg(long, env = "RAD_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The options themselves.
    #[command(flatten)]
    pub options: Options,
}

/// What a process of the portal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Role {
    /// Serves people and carries out their deployments, alone over its database
    #[default]
    All,
    /// Serves people, beside others over one PostgreSQL database; workers carry out the deployments
    Serve,
    /// Carries out deployments, beside others over one PostgreSQL database
    Worker,
}

/// Where a portal keeps what it knows.
#[derive(Debug, Clone)]
pub enum DatabaseAddress {
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database; the address holds a password.
    Postgres(SecretString),
}

/// The options, none of them set for certain: what a flag, the environment or the file leaves out falls through.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "RAD_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Address people reach the portal at, if it is behind a proxy; https makes cookies secure
    /// [default: http:// and the address listened on]
    #[arg(long, env = "RAD_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Directory for everything the portal keeps: database, key files, demo repositories, work of running deployments;
    /// each process needs its own, and a worker's need not last [default: data]
    #[arg(long, env = "RAD_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database to use instead of portal.db in the data directory: sqlite:PATH or
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE; a password is best in the environment
    #[arg(long, alias = "database", env = "RAD_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Directory with the key files, made if they are missing; processes over one database need the same keys
    /// [default: the data directory]
    #[arg(long, env = "RAD_KEYS_DIR", value_name = "DIR")]
    pub keys_dir: Option<PathBuf>,
    /// Directory whose sub-directories are Git repositories that can be connected [default: repos in the data directory]
    #[arg(long, env = "RAD_REPOS_DIR", value_name = "DIR")]
    pub repos_dir: Option<PathBuf>,
    /// The tofu or terraform to run [default: tofu, then terraform, on the PATH]
    #[arg(long, env = "RAD_TERRAFORM", value_name = "FILE")]
    pub terraform: Option<PathBuf>,
    /// How many deployments run at the same time, 1 to 64 [default: 2]
    #[arg(long, env = "RAD_WORKERS", value_name = "NUMBER")]
    pub workers: Option<usize>,
    /// How many deployments of one account run at the same time, at least 1 [default: no limit; accounts take turns]
    #[arg(long, env = "RAD_RUNS_PER_OWNER", value_name = "NUMBER")]
    pub runs_per_owner: Option<u32>,
    /// Seconds after which a worker that is not heard of any more has lost its deployments, 6 to 3600 [default: 15]
    #[arg(long, env = "RAD_LEASE_SECONDS", value_name = "SECONDS")]
    pub lease_seconds: Option<u32>,
    /// Minutes between two signed checkpoints of the ledger, 1 to 10080 [default: 60]
    #[arg(long, env = "RAD_CHECKPOINT_MINUTES", value_name = "MINUTES")]
    pub checkpoint_minutes: Option<u32>,
    /// File with the key that signs checkpoints, made if it is missing; best kept apart from the database
    /// [default: checkpoint.key in --keys-dir]
    #[arg(long, env = "RAD_CHECKPOINT_KEY", value_name = "FILE")]
    pub checkpoint_key: Option<PathBuf>,
    /// File with a key of the code agent Jules for all who publish, readable by its owner only; without one, each saves a key
    /// of their own
    #[arg(long, env = "RAD_JULES_KEY", value_name = "FILE")]
    pub jules_key: Option<PathBuf>,
    /// Address of the code agent, or of another server that speaks the same API
    /// [default: Jules of Google]
    #[arg(long, env = "RAD_JULES_API", value_name = "URL")]
    pub jules_api: Option<String>,
    /// Address of the API of GitHub, `https://HOST/api/v3` for GitHub Enterprise Server [default: that of github.com]
    #[arg(long, env = "RAD_GITHUB_API", value_name = "URL")]
    pub github_api: Option<String>,
    /// Keys that seal what is secret in the database, in base64 with commas between them, the one in use first; best in the
    /// environment [default: state.key and credentials.key in --keys-dir]
    #[arg(long, env = "RAD_KEYS", hide_env_values = true, value_name = "KEYS")]
    pub keys: Option<Keys>,
    /// Minutes between two looks at a connected repository, 1 to 1440; 0 leaves it to webhooks [default: 5]
    #[arg(long, env = "RAD_POLL_MINUTES", value_name = "MINUTES")]
    pub poll_minutes: Option<u32>,
    /// Leave out GitHub: only the repositories in --repos-dir can be connected
    #[arg(long, env = "RAD_NO_GITHUB", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub no_github: Option<bool>,
    /// Run modules without a sandbox where bubblewrap does not work: module code then sees what the portal sees
    #[arg(long, env = "RAD_ALLOW_UNSANDBOXED", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub allow_unsandboxed: Option<bool>,
    /// Make one admin account at the first start, instead of demo accounts and a demo repository
    #[arg(long, env = "RAD_NO_DEMO", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub no_demo: Option<bool>,
}

/// Keys as they are written, shown nowhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Keys(SecretString);

impl Keys {
    fn ring(self) -> Result<Keyring, ConfigError> {
        let reason = "each is 32 bytes in base64, as head -c 32 /dev/urandom | base64 makes them";
        let wrong = |_| ConfigError::Option { option: "keys", value: "…".to_owned(), reason };
        Keyring::from_base64(&self.0).map_err(wrong)
    }
}

impl From<String> for Keys {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The configuration of a portal, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// What this process does.
    pub role: Role,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where people reach the portal, without a slash at the end; `None`: at the address listened on.
    pub public_url: Option<String>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseAddress,
    /// Where the key files are.
    pub keys_dir: PathBuf,
    /// Where local repositories are.
    pub repos_dir: PathBuf,
    /// The engine to run, if it is not to be searched for.
    pub terraform: Option<PathBuf>,
    /// How many deployments run at the same time.
    pub workers: usize,
    /// How many deployments of one account run at the same time, if that is limited.
    pub runs_per_owner: Option<u32>,
    /// How long a worker is waited for that is not heard of.
    pub lease: Duration,
    /// How long it is between two checkpoints of the ledger.
    pub checkpoint_every: Duration,
    /// The file with the key that signs them; `None`: among the key files.
    pub checkpoint_key: Option<PathBuf>,
    /// The file with the key of the code agent for all who publish.
    pub jules_key: Option<PathBuf>,
    /// Where the code agent is, if not at its usual address.
    pub jules_api: Option<String>,
    /// What seals the database's secrets; `None`: the key files.
    pub keys: Option<Keyring>,
    /// How long it is between two looks at a connected repository; `None`: only webhooks tell.
    pub poll_every: Option<TimeDelta>,
    /// Whether repositories on GitHub can be connected.
    pub github: bool,
    /// Where GitHub's API is, if not at its usual address.
    pub github_api: Option<String>,
    /// Whether modules may run without a sandbox.
    pub allow_unsandboxed: bool,
    /// Whether the first start makes demo accounts and a demo repository.
    pub demo: bool,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An option has a value it cannot have.
    #[error("{option} cannot be {value:?}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong and what would be right.
        reason: &'static str,
    },
}

impl Cli {
    /// Reads the file, if one is named, and fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file or the option.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => read_file(path)?,
            None => Options::default(),
        };
        let role = self.role.unwrap_or_default();
        let config = Config { role, ..self.options.or(file).check()? };
        if let (Role::Serve | Role::Worker, DatabaseAddress::Sqlite(_)) = (role, &config.database) {
            let reason = "processes that share the work need one PostgreSQL database: give --database-url postgres://…";
            return Err(ConfigError::Option {
                option: "role",
                value: format!("{role:?}").to_lowercase(),
                reason,
            });
        }
        Ok(config)
    }
}

impl Options {
    fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            public_url: self.public_url.or(other.public_url),
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            keys_dir: self.keys_dir.or(other.keys_dir),
            repos_dir: self.repos_dir.or(other.repos_dir),
            terraform: self.terraform.or(other.terraform),
            workers: self.workers.or(other.workers),
            runs_per_owner: self.runs_per_owner.or(other.runs_per_owner),
            lease_seconds: self.lease_seconds.or(other.lease_seconds),
            checkpoint_minutes: self.checkpoint_minutes.or(other.checkpoint_minutes),
            checkpoint_key: self.checkpoint_key.or(other.checkpoint_key),
            jules_key: self.jules_key.or(other.jules_key),
            jules_api: self.jules_api.or(other.jules_api),
            github_api: self.github_api.or(other.github_api),
            keys: self.keys.or(other.keys),
            poll_minutes: self.poll_minutes.or(other.poll_minutes),
            no_github: self.no_github.or(other.no_github),
            allow_unsandboxed: self.allow_unsandboxed.or(other.allow_unsandboxed),
            no_demo: self.no_demo.or(other.no_demo),
        }
    }

    /// Fills in the defaults and checks what can be checked without touching the machine.
    ///
    /// # Errors
    /// [`ConfigError::Option`].
    pub fn check(self) -> Result<Config, ConfigError> {
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("data"));
        let workers = self.workers.unwrap_or(2);
        if !(1..=64).contains(&workers) {
            let reason = "between 1 and 64 deployments can run at the same time";
            return Err(ConfigError::Option { option: "workers", value: workers.to_string(), reason });
        }
        if self.runs_per_owner == Some(0) {
            let reason = "with none at a time, none would ever run";
            return Err(ConfigError::Option { option: "runs-per-owner", value: "0".to_owned(), reason });
        }
        let lease = self.lease_seconds.unwrap_or(15);
        if !(6..=3600).contains(&lease) {
            let reason = "workers are waited for between 6 and 3600 seconds";
            return Err(ConfigError::Option { option: "lease-seconds", value: lease.to_string(), reason });
        }
        let minutes = self.checkpoint_minutes.unwrap_or(60);
        if !(1..=MINUTES_OF_A_WEEK).contains(&minutes) {
            let reason = "between two checkpoints are 1 to 10080 minutes";
            let (option, value) = ("checkpoint-minutes", minutes.to_string());
            return Err(ConfigError::Option { option, value, reason });
        }
        let poll = self.poll_minutes.unwrap_or(5);
        if poll > MINUTES_OF_A_DAY {
            let reason = "between two looks are 1 to 1440 minutes, or 0 for none";
            return Err(ConfigError::Option { option: "poll-minutes", value: poll.to_string(), reason });
        }
        Ok(Config {
            poll_every: (poll > 0).then(|| TimeDelta::minutes(poll.into())),
            checkpoint_every: Duration::from_secs(60 * u64::from(minutes)),
            checkpoint_key: self.checkpoint_key,
            listen: self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url: self.public_url.map(check_url).transpose()?,
            role: Role::All,
            lease: Duration::from_secs(lease.into()),
            database: match self.database_url {
                Some(url) => database(url)?,
                None => DatabaseAddress::Sqlite(data_dir.join("portal.db")),
            },
            keys_dir: self.keys_dir.unwrap_or_else(|| data_dir.clone()),
            repos_dir: self.repos_dir.unwrap_or_else(|| data_dir.join("repos")),
            data_dir,
            terraform: self.terraform,
            workers,
            runs_per_owner: self.runs_per_owner,
            jules_key: self.jules_key,
            jules_api: self.jules_api,
            keys: self.keys.map(Keys::ring).transpose()?,
            github: !self.no_github.unwrap_or(false),
            github_api: self.github_api,
            allow_unsandboxed: self.allow_unsandboxed.unwrap_or(false),
            demo: !self.no_demo.unwrap_or(false),
        })
    }
}

fn read_file(path: &Path) -> Result<Options, ConfigError> {
    let failed = |reason: String| ConfigError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    toml::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn check_url(url: String) -> Result<String, ConfigError> {
    let trimmed = url.trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', ' ']) => Ok(trimmed.to_owned()),
        _ => {
            let reason = "it needs the form https://host or http://host:port, without a path";
            Err(ConfigError::Option { option: "public-url", value: url, reason })
        }
    }
}

fn database(url: String) -> Result<DatabaseAddress, ConfigError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(DatabaseAddress::Postgres(url.into()));
    }
    let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        Some(path) if !path.is_empty() && path != ":memory:" => {
            Ok(DatabaseAddress::Sqlite(PathBuf::from(path)))
        }
        _ => {
            let reason = "it is a file, as sqlite:PATH, or a PostgreSQL database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE";
            Err(ConfigError::Option { option: "database-url", value: redact(&url), reason })
        }
    }
}

/// The kind of database without what may hold a password.
fn redact(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme, _)) => format!("{}:…", scheme.chars().take(20).collect::<String>()),
        None => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("portal.toml");
        std::fs::write(&path, "data_dir = \"/srv/portal\"\nworkers = 7\n").unwrap();
        let path = path.to_str().unwrap();
        let config =
            Cli::try_parse_from(["portal", "--config", path, "--workers", "3"]).unwrap().resolve().unwrap();
        assert_eq!(config.workers, 3);
        let DatabaseAddress::Sqlite(path) = config.database else { panic!("a file by default") };
        assert_eq!(path, Path::new("/srv/portal/portal.db"));
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn processes_that_share_the_work_need_a_database_that_can_be_shared() {
        let resolve = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().resolve();
        assert_eq!(resolve(&["portal"]).unwrap().role, Role::All);
        let refusal = resolve(&["portal", "worker"]).unwrap_err().to_string();
        assert!(refusal.contains("\"worker\"") && refusal.contains("postgres://"), "{refusal}");
        let config = resolve(&["portal", "serve", "--database", "postgres://rad@db/rad"]).unwrap();
        assert_eq!(config.role, Role::Serve);
        assert_eq!(config.keys_dir, config.data_dir);
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name_and_without_secrets() {
        let refuse = |options: Options| options.check().unwrap_err().to_string();
        let url = |url: &str| Options { database_url: Some(url.to_owned()), ..Options::default() };
        let message = refuse(url("mysql://user:secret@db/portal"));
        assert!(message.contains("database-url") && message.contains("sqlite:"), "{message}");
        assert!(!message.contains("secret"), "{message}");
        assert!(refuse(url("sqlite::memory:")).contains("sqlite:PATH"));
        let kept = url("postgres://user:secret@db/portal").check().unwrap();
        assert!(!format!("{kept:?}").contains("secret"), "{kept:?}");
        let checkpoint_minutes = Some(0);
        assert!(refuse(Options { checkpoint_minutes, ..Options::default() }).contains("checkpoint-minutes"));
        let poll_minutes = Some(1_441);
        assert!(refuse(Options { poll_minutes, ..Options::default() }).contains("poll-minutes"));
        assert!(refuse(Options { workers: Some(0), ..Options::default() }).contains("workers"));
        assert!(refuse(Options { runs_per_owner: Some(0), ..Options::default() }).contains("runs-per-owner"));
        let refusal = refuse(Options { keys: Some("c2VjcmV0".to_owned().into()), ..Options::default() });
        assert!(refusal.contains("keys cannot be") && !refusal.contains("c2Vj"), "{refusal}");
        let public_url = Some("ftp://x".to_owned());
        assert!(refuse(Options { public_url, ..Options::default() }).contains("public-url"));
    }

    #[test]
    fn an_unknown_option_in_the_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("portal.toml");
        std::fs::write(&path, "lisen = \"x\"\n").unwrap();
        assert!(read_file(&path).unwrap_err().to_string().contains("lisen"));
    }
}
