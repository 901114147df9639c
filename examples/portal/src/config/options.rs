//! The options as they are given: by flag, by `RAD_*` environment variable, in a TOML file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use rad_core::seal::Keyring;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::runs::RunOptions;
use super::{Config, ConfigError, DatabaseAddress, MINUTES_OF_A_WEEK, Role, between};

/// The longest time between two looks at a repository.
const MINUTES_OF_A_DAY: u32 = 24 * 60;

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
    pub database_url: Option<Secret>,
    /// Directory with the key files, made if they are missing; processes over one database need the same keys
    /// [default: the data directory]
    #[arg(long, env = "RAD_KEYS_DIR", value_name = "DIR")]
    pub keys_dir: Option<PathBuf>,
    /// Directory whose sub-directories are Git repositories that the platform can connect; its file partners.txt says which
    /// of them a partner can connect too, in lines such as `ann@example.com: networks` [default: repos in the data directory]
    #[arg(long, env = "RAD_REPOS_DIR", value_name = "DIR")]
    pub repos_dir: Option<PathBuf>,
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
    pub keys: Option<Secret>,
    /// Minutes between two looks at a connected repository, 1 to 1440; 0 leaves it to webhooks [default: 5]
    #[arg(long, env = "RAD_POLL_MINUTES", value_name = "MINUTES")]
    pub poll_minutes: Option<u32>,
    /// Leave out GitHub: only the repositories in --repos-dir can be connected
    #[arg(long, env = "RAD_NO_GITHUB", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub no_github: Option<bool>,
    /// Make one admin account at the first start, instead of demo accounts and a demo repository
    #[arg(long, env = "RAD_NO_DEMO", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub no_demo: Option<bool>,
    /// Those about runs.
    #[command(flatten)]
    #[serde(flatten)]
    pub runs: RunOptions,
}

/// What is written where others could read it, and shown nowhere: a database's address with its password, keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Options {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            public_url: self.public_url.or(other.public_url),
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            keys_dir: self.keys_dir.or(other.keys_dir),
            repos_dir: self.repos_dir.or(other.repos_dir),
            checkpoint_minutes: self.checkpoint_minutes.or(other.checkpoint_minutes),
            checkpoint_key: self.checkpoint_key.or(other.checkpoint_key),
            jules_key: self.jules_key.or(other.jules_key),
            jules_api: self.jules_api.or(other.jules_api),
            github_api: self.github_api.or(other.github_api),
            keys: self.keys.or(other.keys),
            poll_minutes: self.poll_minutes.or(other.poll_minutes),
            no_github: self.no_github.or(other.no_github),
            no_demo: self.no_demo.or(other.no_demo),
            runs: self.runs.or(other.runs),
        }
    }

    /// Fills in the defaults and checks what can be checked without touching the machine.
    ///
    /// # Errors
    /// [`ConfigError::Option`].
    pub fn check(self) -> Result<Config, ConfigError> {
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("data"));
        let checkpoints =
            between("checkpoint-minutes", self.checkpoint_minutes, 60, 1, MINUTES_OF_A_WEEK, "minutes")?;
        let poll =
            between("poll-minutes", self.poll_minutes, 5, 0, MINUTES_OF_A_DAY, "minutes, 0 for no looks")?;
        Ok(Config {
            poll_every: (poll > 0).then(|| TimeDelta::minutes(poll.into())),
            checkpoint_every: Duration::from_secs(60 * u64::from(checkpoints)),
            checkpoint_key: self.checkpoint_key,
            listen: self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url: self.public_url.map(check_url).transpose()?,
            role: Role::All,
            database: match self.database_url {
                Some(url) => database(url.0)?,
                None => DatabaseAddress::Sqlite(data_dir.join("portal.db")),
            },
            keys_dir: self.keys_dir.unwrap_or_else(|| data_dir.clone()),
            repos_dir: self.repos_dir.unwrap_or_else(|| data_dir.join("repos")),
            data_dir,
            runs: self.runs.check()?,
            jules_key: self.jules_key,
            jules_api: self.jules_api,
            keys: self.keys.map(keyring).transpose()?,
            github: !self.no_github.unwrap_or(false),
            github_api: self.github_api,
            demo: !self.no_demo.unwrap_or(false),
        })
    }
}

fn keyring(keys: Secret) -> Result<Keyring, ConfigError> {
    let reason = "each is 32 bytes in base64, as head -c 32 /dev/urandom | base64 makes them";
    Keyring::from_base64(&keys.0).map_err(|_| ConfigError::new("keys", "…", reason))
}

fn check_url(url: String) -> Result<String, ConfigError> {
    let trimmed = url.trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', ' ']) => Ok(trimmed.to_owned()),
        _ => {
            let reason = "it needs the form https://host or http://host:port, without a path";
            Err(ConfigError::new("public-url", url, reason))
        }
    }
}

fn database(address: SecretString) -> Result<DatabaseAddress, ConfigError> {
    let url = address.expose_secret();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(DatabaseAddress::Postgres(address));
    }
    let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        Some(path) if !path.is_empty() && path != ":memory:" => {
            Ok(DatabaseAddress::Sqlite(PathBuf::from(path)))
        }
        _ => {
            let reason = "it is a file, as sqlite:PATH, or a PostgreSQL database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE";
            Err(ConfigError::new("database-url", redact(url), reason))
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
