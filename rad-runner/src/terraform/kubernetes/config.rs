//! How the Kubernetes runner is set up.

use std::collections::BTreeMap;
use std::time::Duration;

use rad_core::runner::Engine;
use serde::{Deserialize, Serialize};

use crate::terraform::ConfigError;
use crate::terraform::config::{grace, log_limit};

/// The setup of a [`KubernetesRunner`](super::KubernetesRunner).
///
/// ```
/// use rad_runner::kubernetes::KubernetesConfig;
///
/// let config = KubernetesConfig::builder("worker-1", "rad-runs", "ghcr.io/opentofu/opentofu:1.10.6")
///     .engine("OpenTofu", "1.10.6")
///     .memory("512Mi", "2Gi")
///     .node_selector("pool", "runs")
///     .build()?;
/// assert_eq!(config.engine.version, "1.10.6");
/// assert!(KubernetesConfig::builder("no spaces, please", "rad-runs", "tofu").build().is_err());
/// # Ok::<(), rad_runner::terraform::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KubernetesConfig {
    /// Whose Jobs these are: the name of the worker. No two workers at a time may have one name; each clears up after the
    /// one of its name before it.
    pub instance: String,
    /// The namespace of the Jobs; nothing else should be in it.
    pub namespace: String,
    /// The image of the engine, with a POSIX shell, `tar` and `gzip`; named by version or digest, never `latest`.
    pub image: String,
    /// Which engine is in the image: what modules ask for is judged by it.
    #[serde(default = "engine")]
    pub engine: Engine,
    /// The engine's program in the image.
    #[serde(default = "program")]
    pub program: String,
    /// The image of the container that keeps the state, with a POSIX shell, `gzip`, `sha256sum` and `curl`.
    #[serde(default = "keeper_image")]
    pub keeper_image: String,
    /// The service account under which states are kept. Module code never sees its token.
    #[serde(default = "service_account")]
    pub service_account: String,
    /// The API server as pods reach it.
    #[serde(default = "api_server")]
    pub api_server: String,
    /// What each engine is promised, by resource: quantities as Kubernetes writes them.
    #[serde(default = "requests")]
    pub requests: BTreeMap<String, String>,
    /// What no engine gets more of.
    #[serde(default = "limits")]
    pub limits: BTreeMap<String, String>,
    /// The size of a run's directory, providers included.
    #[serde(default = "disk")]
    pub disk: String,
    /// The labels of the nodes on which runs go; empty for any.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// How long it may take until an engine starts: a node found, the images pulled.
    #[serde(default = "start_limit")]
    pub start_limit: Duration,
    /// How long an engine that was told to stop may take before it is killed.
    #[serde(default = "grace")]
    pub grace: Duration,
    /// How long an ended Job stays, for whoever wants to look at it.
    #[serde(default = "ttl")]
    pub ttl: Duration,
    /// How many bytes of log one run may write; what follows is read and dropped.
    #[serde(default = "log_limit")]
    pub log_limit: u64,
}

impl KubernetesConfig {
    /// Starts with the worker's name, the namespace and the engine's image.
    pub fn builder(
        instance: impl Into<String>,
        namespace: impl Into<String>,
        image: impl Into<String>,
    ) -> KubernetesConfigBuilder {
        KubernetesConfigBuilder {
            config: Self {
                instance: instance.into(),
                namespace: namespace.into(),
                image: image.into(),
                engine: engine(),
                program: program(),
                keeper_image: keeper_image(),
                service_account: service_account(),
                api_server: api_server(),
                requests: requests(),
                limits: limits(),
                disk: disk(),
                node_selector: BTreeMap::new(),
                start_limit: start_limit(),
                grace: grace(),
                ttl: ttl(),
                log_limit: log_limit(),
            },
        }
    }

    /// Checks what can be checked without asking the cluster.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |field, reason: String| Err(ConfigError { field, reason });
        if !is_label(&self.instance) {
            return wrong("instance", format!("{:?} cannot be the value of a label", self.instance));
        }
        for (field, name) in [("namespace", &self.namespace), ("service_account", &self.service_account)] {
            if !is_label(name) || name.chars().any(|c| c.is_ascii_uppercase() || c == '_') {
                return wrong(field, format!("{name:?} is no name of Kubernetes"));
            }
        }
        for (field, text) in
            [("image", &self.image), ("keeper_image", &self.keeper_image), ("program", &self.program)]
        {
            if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return wrong(field, format!("{text:?} is empty or has white space"));
            }
        }
        if !self.api_server.starts_with("https://") && !self.api_server.starts_with("http://127.0.0.1:") {
            return wrong("api_server", format!("{} is no https address", self.api_server));
        }
        let quantities = self.requests.values().map(|quantity| ("requests", quantity));
        let quantities = quantities.chain(self.limits.values().map(|quantity| ("limits", quantity)));
        for (field, quantity) in quantities.chain([("disk", &self.disk)]) {
            if !is_quantity(quantity) {
                return wrong(field, format!("{quantity:?} is no quantity, such as 500m or 2Gi"));
            }
        }
        for (field, time, longest) in [
            ("start_limit", self.start_limit, 24 * 3600),
            ("grace", self.grace, 3600),
            ("ttl", self.ttl, 7 * 24 * 3600),
        ] {
            if !(Duration::from_secs(1)..=Duration::from_secs(longest)).contains(&time) {
                return wrong(field, format!("{time:?} is not between 1 and {longest} seconds"));
            }
        }
        Ok(())
    }
}

/// Builds a [`KubernetesConfig`].
#[derive(Debug, Clone)]
pub struct KubernetesConfigBuilder {
    config: KubernetesConfig,
}

impl KubernetesConfigBuilder {
    /// Says which engine is in the image; its program is `tofu` for `OpenTofu` and `terraform` for any other.
    #[must_use]
    pub fn engine(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.config.engine = Engine { name: name.into(), version: version.into(), is_terraform: true };
        let tofu = self.config.engine.name == "OpenTofu";
        self.config.program = if tofu { "tofu" } else { "terraform" }.to_owned();
        self
    }

    /// The image of the container that keeps the state; see [`KubernetesConfig::keeper_image`].
    #[must_use]
    pub fn keeper_image(mut self, image: impl Into<String>) -> Self {
        self.config.keeper_image = image.into();
        self
    }

    /// The service account under which states are kept; `rad-keeper` by default.
    #[must_use]
    pub fn service_account(mut self, name: impl Into<String>) -> Self {
        self.config.service_account = name.into();
        self
    }

    /// The API server as pods reach it; `https://kubernetes.default.svc` by default.
    #[must_use]
    pub fn api_server(mut self, address: impl Into<String>) -> Self {
        self.config.api_server = address.into();
        self
    }

    /// The memory each engine is promised and limited to; `256Mi` and `1Gi` by default.
    #[must_use]
    pub fn memory(mut self, request: impl Into<String>, limit: impl Into<String>) -> Self {
        self.config.requests.insert("memory".to_owned(), request.into());
        self.config.limits.insert("memory".to_owned(), limit.into());
        self
    }

    /// The processor time each engine is promised and limited to; `100m` and `1` by default.
    #[must_use]
    pub fn cpu(mut self, request: impl Into<String>, limit: impl Into<String>) -> Self {
        self.config.requests.insert("cpu".to_owned(), request.into());
        self.config.limits.insert("cpu".to_owned(), limit.into());
        self
    }

    /// The size of a run's directory; `2Gi` by default.
    #[must_use]
    pub fn disk(mut self, size: impl Into<String>) -> Self {
        self.config.disk = size.into();
        self
    }

    /// Has runs go only on nodes with this label too.
    #[must_use]
    pub fn node_selector(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.node_selector.insert(label.into(), value.into());
        self
    }

    /// How long it may take until an engine starts; 5 minutes by default.
    #[must_use]
    pub fn start_limit(mut self, limit: Duration) -> Self {
        self.config.start_limit = limit;
        self
    }

    /// How long an engine that was told to stop may take; 30 seconds by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// How long an ended Job stays; an hour by default.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.config.ttl = ttl;
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
    pub fn build(self) -> Result<KubernetesConfig, ConfigError> {
        self.config.check()?;
        Ok(self.config)
    }
}

/// Whether a text can be the value of a label.
fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back())
}

/// Whether a text is a quantity above zero, such as `500m`, `2Gi` or `1.5`.
fn is_quantity(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let units = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"];
    units.contains(&unit) && number.parse::<f64>().is_ok_and(|number| number > 0.0 && number.is_finite())
}

fn engine() -> Engine {
    Engine { name: "OpenTofu".to_owned(), version: "1.10.0".to_owned(), is_terraform: true }
}

fn program() -> String {
    "tofu".to_owned()
}

fn keeper_image() -> String {
    "docker.io/curlimages/curl:8.16.0".to_owned()
}

fn service_account() -> String {
    "rad-keeper".to_owned()
}

fn api_server() -> String {
    "https://kubernetes.default.svc".to_owned()
}

fn requests() -> BTreeMap<String, String> {
    BTreeMap::from([("cpu".to_owned(), "100m".to_owned()), ("memory".to_owned(), "256Mi".to_owned())])
}

fn limits() -> BTreeMap<String, String> {
    BTreeMap::from([("cpu".to_owned(), "1".to_owned()), ("memory".to_owned(), "1Gi".to_owned())])
}

fn disk() -> String {
    "2Gi".to_owned()
}

fn start_limit() -> Duration {
    Duration::from_secs(300)
}

fn ttl() -> Duration {
    Duration::from_secs(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_setups_are_refused_with_the_field() {
        let builder = || KubernetesConfig::builder("w-1", "runs", "image:1");
        for (built, field) in [
            (KubernetesConfig::builder("a b", "runs", "image:1").build(), "instance"),
            (KubernetesConfig::builder("w", "Runs", "image:1").build(), "namespace"),
            (KubernetesConfig::builder("w", "runs", "").build(), "image"),
            (builder().service_account("-x").build(), "service_account"),
            (builder().api_server("http://example.com").build(), "api_server"),
            (builder().memory("lots", "1Gi").build(), "requests"),
            (builder().cpu("1", "0").build(), "limits"),
            (builder().disk("2 Gi").build(), "disk"),
            (builder().start_limit(Duration::ZERO).build(), "start_limit"),
            (builder().grace(Duration::from_secs(7200)).build(), "grace"),
            (builder().ttl(Duration::ZERO).build(), "ttl"),
        ] {
            assert_eq!(built.unwrap_err().field, field);
        }
        assert!(builder().build().is_ok());
    }

    #[test]
    fn a_setup_is_read_with_its_defaults() {
        let read: KubernetesConfig =
            serde_json::from_str(r#"{"instance":"w","namespace":"runs","image":"i:1"}"#).unwrap();
        assert_eq!(read, KubernetesConfig::builder("w", "runs", "i:1").build().unwrap());
        assert!(serde_json::from_str::<KubernetesConfig>(r#"{"instance":"w","images":"i"}"#).is_err());
    }
}
