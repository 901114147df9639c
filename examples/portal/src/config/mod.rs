//! What the operator sets: by flag, by `RAD_*` environment variable, in a TOML file, in this order.

mod options;
mod runs;
mod values;

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use clap::{Parser, ValueEnum};
use rad_core::seal::Keyring;
use secrecy::SecretString;

pub use options::{Options, Secret};
pub use runs::{RunOptions, Runs};
pub use values::{NetworkPolicy, Range, Size};

/// The longest time that options can say in minutes.
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
    /// What carries runs out, and within which bounds.
    pub runs: Runs,
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
        reason: String,
    },
    /// A limit is out of its bounds.
    #[error("{option} is out of its bounds: {reason}")]
    Bounds {
        /// The option.
        option: String,
        /// What was given and what would be right.
        reason: String,
    },
}

impl ConfigError {
    fn new(option: &'static str, value: impl Display, reason: impl Into<String>) -> Self {
        Self::Option { option, value: value.to_string(), reason: reason.into() }
    }
}

/// The value of an option that counts something, within its bounds.
fn between(
    option: &'static str,
    given: Option<u32>,
    default: u32,
    least: u32,
    most: u32,
    what: &str,
) -> Result<u32, ConfigError> {
    let value = given.unwrap_or(default);
    match (least..=most).contains(&value) {
        true => Ok(value),
        false => Err(ConfigError::new(option, value, format!("give {least} to {most} {what}"))),
    }
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
            return Err(ConfigError::new("role", format!("{role:?}").to_lowercase(), reason));
        }
        Ok(config)
    }
}

fn read_file(path: &Path) -> Result<Options, ConfigError> {
    let failed = |reason: String| ConfigError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    toml::from_str(&text).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use rad_runner::terraform::Network;

    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("portal.toml");
        std::fs::write(&path, "data_dir = \"/srv/portal\"\nworkers = 7\nrun_memory = \"1GiB\"\nnetwork_allow = [\"10.0.0.0/8\", \"192.168.1.7\"]\n").unwrap();
        let path = path.to_str().unwrap();
        let config =
            Cli::try_parse_from(["portal", "--config", path, "--workers", "3"]).unwrap().resolve().unwrap();
        assert_eq!(config.runs.workers, 3);
        assert_eq!(config.runs.limits.memory, 1 << 30);
        assert!(matches!(config.runs.network, Network::Internet(with) if with.allow.len() == 2));
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
        let url = |url: &str| Options { database_url: Some(url.to_owned().into()), ..Options::default() };
        let message = refuse(url("mysql://user:secret@db/portal"));
        assert!(message.contains("database-url") && message.contains("sqlite:"), "{message}");
        assert!(!message.contains("secret"), "{message}");
        assert!(refuse(url("sqlite::memory:")).contains("sqlite:PATH"));
        let given = url("postgres://user:secret@db/portal");
        assert!(!format!("{given:?}").contains("secret"), "{given:?}");
        let kept = url("postgres://user:secret@db/portal").check().unwrap();
        assert!(!format!("{kept:?}").contains("secret"), "{kept:?}");
        let checkpoint_minutes = Some(0);
        assert!(refuse(Options { checkpoint_minutes, ..Options::default() }).contains("checkpoint-minutes"));
        let poll_minutes = Some(1_441);
        assert!(refuse(Options { poll_minutes, ..Options::default() }).contains("poll-minutes"));
        let refusal = refuse(Options { keys: Some("c2VjcmV0".to_owned().into()), ..Options::default() });
        assert!(refusal.contains("keys cannot be") && !refusal.contains("c2Vj"), "{refusal}");
        let public_url = Some("ftp://x".to_owned());
        assert!(refuse(Options { public_url, ..Options::default() }).contains("public-url"));
    }

    #[test]
    fn an_unknown_option_in_the_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("portal.toml");
        for (text, told) in [
            ("lisen = \"x\"", "lisen"),
            ("run_memory = \"4GB\"", "512MiB"),
            ("run_memori = \"4GiB\"", "run_memori"),
        ] {
            std::fs::write(&path, text).unwrap();
            let refusal = read_file(&path).unwrap_err().to_string();
            assert!(refusal.contains(told), "{refusal}");
        }
    }
}
