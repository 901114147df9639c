//! Where GitHub is, and how patiently it is asked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rad_core::access::Publisher;
use rad_core::clock::{Clock, SystemClock};

use super::app::AppInstallation;
use super::archive::ArchiveLimits;
use super::source::GitHub;

/// Settings of a [`GitHub`] source, with their defaults.
///
/// ```no_run
/// # async fn example() -> Result<(), rad_github::github::ConfigError> {
/// use rad_github::github::GitHub;
///
/// let enterprise = GitHub::builder().api("https://git.example.com/api/v3").build()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct GitHubBuilder {
    pub(super) api: String,
    pub(super) apps: BTreeMap<Publisher, AppInstallation>,
    pub(super) limits: ArchiveLimits,
    pub(super) patience: Patience,
    pub(super) cache_bytes: u64,
    pub(super) clock: Arc<dyn Clock>,
}

/// How long an answer is waited for, and how often a question is repeated.
///
/// Only questions, and writes that are the same when done twice, are repeated, and only after a broken connection or an
/// answer of 500, 502, 503 or 504.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the head of an answer, and for each next part of it: 20 s by default.
    pub answer: Duration,
    /// For a whole archive: 5 minutes by default.
    pub archive: Duration,
    /// How often a question is asked at the most: 4 times by default.
    pub attempts: u32,
    /// The longest wait before the second time, doubled for each next one; how much of it is waited is random: 300 ms by
    /// default.
    pub first_wait: Duration,
    /// After how many failures in a row GitHub is left alone: 8 by default.
    pub failures: u32,
    /// For how long: 30 s by default. Then one question tries whether it answers again.
    pub rest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(20),
            archive: Duration::from_secs(300),
            attempts: 4,
            first_wait: Duration::from_millis(300),
            failures: 8,
            rest: Duration::from_secs(30),
        }
    }
}

impl Default for GitHubBuilder {
    fn default() -> Self {
        Self {
            api: "https://api.github.com".to_owned(),
            apps: BTreeMap::new(),
            limits: ArchiveLimits::default(),
            patience: Patience::default(),
            cache_bytes: 64 << 20,
            clock: Arc::new(SystemClock),
        }
    }
}

impl GitHubBuilder {
    /// The address of the REST API: `https://api.github.com` by default, `https://HOST/api/v3` for GitHub Enterprise
    /// Server, `https://api.NAME.ghe.com` for Enterprise Cloud with data residency.
    #[must_use]
    pub fn api(mut self, api: impl Into<String>) -> Self {
        self.api = api.into();
        self
    }

    /// The installation of a GitHub App that speaks for a publisher where no token is given, and for nobody else: whoever it
    /// speaks for can publish from every repository of the installation.
    #[must_use]
    pub fn app(mut self, publisher: Publisher, app: AppInstallation) -> Self {
        self.apps.insert(publisher, app);
        self
    }

    /// The largest archive of a commit.
    #[must_use]
    pub fn limits(mut self, limits: ArchiveLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long answers are waited for.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Bytes of trees kept so that an unchanged commit is not downloaded again: 64 MiB by default, 0 for none.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source. It must be built inside a tokio runtime, and serves as long as that runs.
    ///
    /// # Errors
    /// [`ConfigError`], which names the setting.
    pub fn build(self) -> Result<GitHub, ConfigError> {
        GitHub::new(self)
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The address of the API.
    #[error(
        "api: {value:?} is not the address of an API: give one such as \"https://git.example.com/api/v3\""
    )]
    Api {
        /// The address.
        value: String,
    },
    /// The address would send tokens in the clear.
    #[error("api: {value:?} would send tokens unencrypted: use https")]
    Unencrypted {
        /// The address.
        value: String,
    },
    /// A setting of [`Patience`] is zero.
    #[error("patience: {field} is 0, and nothing would ever be asked: use the default or more")]
    Impatient {
        /// The setting.
        field: &'static str,
    },
    /// There is no tokio runtime.
    #[error("what asks a service must be built inside a tokio runtime")]
    NoRuntime,
    /// The client cannot be set up, for instance because the system has no root certificates.
    #[error("the HTTPS client cannot be set up: install the system's root certificates (ca-certificates)")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The address of an API, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Api {
    /// Scheme and authority.
    pub(super) origin: Uri,
    /// What stands before the path of every question of the REST API: nothing, or `/api/v3`.
    pub(super) prefix: String,
}

impl Api {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Api { value: text.to_owned() };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        if !is_confidential(&uri) {
            return Err(ConfigError::Unencrypted { value: text.to_owned() });
        }
        let origin = Uri::builder().scheme(scheme).authority(authority.as_str()).path_and_query("/");
        let origin = origin.build().map_err(|_| wrong())?;
        Ok(Self { origin, prefix: uri.path().trim_end_matches('/').to_owned() })
    }

    /// The path of the GraphQL API, which Enterprise Server keeps beside the REST API.
    pub(super) fn graphql(&self) -> String {
        match self.prefix.strip_suffix("/api/v3") {
            Some(root) => format!("{root}/api/graphql"),
            None => format!("{}/graphql", self.prefix),
        }
    }

    /// The path of the API that an address leads to; `None` if it leads elsewhere.
    pub(super) fn path_of(&self, uri: &Uri) -> Option<String> {
        let here = uri.authority().is_none()
            || (uri.authority() == self.origin.authority() && uri.scheme() == self.origin.scheme());
        here.then(|| uri.path_and_query().map_or("/", |path| path.as_str()).to_owned())
    }
}

/// Whether what is sent there cannot be read on its way: over TLS, or without leaving the machine.
pub(super) fn is_confidential(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && loopback)
}
