//! What a run's providers log on with: given for each run by the embedding service.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use rad_core::error::BackendError;
use rad_core::runner::RunJob;
use secrecy::{ExposeSecret, SecretString};

/// Says what the engine of a run logs on with at clouds and registries.
///
/// # Contract
/// - Asked once for each run, before its first step; what it gives is used for that run only.
/// - Give what the run needs and no more, for as short as it takes: module code reads it, as Terraform's providers do.
///
/// ```
/// use async_trait::async_trait;
/// use rad_core::error::BackendError;
/// use rad_core::runner::RunJob;
/// use rad_runner::terraform::{Credentials, Granted};
///
/// /// Short-lived keys of one's own cloud account for each deployment.
/// #[derive(Debug)]
/// struct Tenants;
///
/// #[async_trait]
/// impl Credentials for Tenants {
///     async fn grant(&self, job: &RunJob) -> Result<Granted, BackendError> {
///         let key = format!("a key made for {}", job.deployment);
///         Ok(Granted::default()
///             .variable("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
///             .variable("AWS_SECRET_ACCESS_KEY", key)
///             .file("GOOGLE_APPLICATION_CREDENTIALS", "google.json", "{}"))
///     }
/// }
/// ```
#[async_trait]
pub trait Credentials: Send + Sync + fmt::Debug {
    /// What one run logs on with.
    ///
    /// # Errors
    /// There are none now: the run ends without having begun.
    async fn grant(&self, job: &RunJob) -> Result<Granted, BackendError>;
}

/// The credentials of one run: environment variables of the engine, and files that variables name. They stand in no
/// command line and in no other program's environment, and are masked in what the run reports.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    variables: Vec<(String, SecretString)>,
    files: Vec<GrantedFile>,
}

#[derive(Debug, Clone)]
struct GrantedFile {
    variable: String,
    name: String,
    content: SecretString,
}

/// What the platform itself says to the engine, which credentials must not change.
const RESERVED: [&str; 9] = [
    "PATH",
    "HOME",
    "LANG",
    "TF_DATA_DIR",
    "TF_IN_AUTOMATION",
    "TF_INPUT",
    "TF_PLUGIN_CACHE_DIR",
    "TF_CLI_CONFIG_FILE",
    "TF_WORKSPACE",
];

impl Granted {
    /// With a variable of the engine's environment.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With a file that module code reads and cannot change; `variable` holds its path.
    #[must_use]
    pub fn file(
        mut self,
        variable: impl Into<String>,
        name: impl Into<String>,
        content: impl Into<SecretString>,
    ) -> Self {
        self.files.push(GrantedFile {
            variable: variable.into(),
            name: name.into(),
            content: content.into(),
        });
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.files.is_empty()
    }

    /// Whether all names can be used; `Err` with the one that cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let names =
            self.variables.iter().map(|(name, _)| name).chain(self.files.iter().map(|file| &file.variable));
        let mut seen = BTreeSet::new();
        for name in names {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !plain {
                return Err(format!("{name:?} is no name of an environment variable"));
            }
            let own = RESERVED.contains(&name.as_str())
                || name.starts_with("LD_")
                || name.starts_with("TF_CLI_ARGS");
            if own {
                return Err(format!("the variable {name} is the platform's"));
            }
            if !seen.insert(name) {
                return Err(format!("the variable {name} is given twice"));
            }
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if file.name.is_empty() || file.name.starts_with('.') || !file.name.chars().all(plain) {
                return Err(format!("{:?} is no plain file name", file.name));
            }
            if !seen.insert(&file.name) {
                return Err(format!("the file {} is given twice", file.name));
            }
        }
        Ok(())
    }

    /// The secrets, to be masked.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let values = self.variables.iter().map(|(_, value)| value.expose_secret());
        values.chain(self.files.iter().map(|file| file.content.expose_secret()))
    }

    /// The names and contents of the files.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|file| (file.name.as_str(), file.content.expose_secret()))
    }

    /// A shell script that exports the variables; `inside` is where a run finds the files.
    pub(super) fn script(&self, inside: &Path) -> SecretString {
        let mut script = String::new();
        let mut export = |name: &str, value: &str| {
            script.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
        };
        for (name, value) in &self.variables {
            export(name, value.expose_secret());
        }
        for file in &self.files {
            export(&file.variable, &inside.join(&file.name).display().to_string());
        }
        script.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_quotes_what_a_shell_would_read() {
        let granted = Granted::default().variable("KEY", "it's $HOME\n`id`").file("FILE", "a.json", "{}");
        let script = granted.script(Path::new("/in"));
        assert_eq!(script.expose_secret(), "export KEY='it'\\''s $HOME\n`id`'\nexport FILE='/in/a.json'\n");
        assert!(!format!("{granted:?}").contains("$HOME"));
    }

    #[test]
    fn names_that_would_do_harm_are_refused() {
        let refused = [
            Granted::default().variable("A;B", ""),
            Granted::default().variable("", ""),
            Granted::default().variable("PATH", "/evil"),
            Granted::default().variable("LD_PRELOAD", "x"),
            Granted::default().variable("TF_CLI_ARGS_plan", "x"),
            Granted::default().variable("A", "1").variable("A", "2"),
            Granted::default().file("A", "../a", ""),
            Granted::default().file("A", ".", ""),
            Granted::default().file("A", "a.json", "1").file("B", "a.json", "2"),
        ];
        for granted in refused {
            assert!(granted.check().is_err(), "{granted:?}");
        }
        Granted::default().variable("_A1", "x").file("B", "b-1_c.json", "").check().unwrap();
    }
}
