//! Where providers come from, if not from their registries: for closed networks.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::config::TerraformConfig;

/// Where providers come from instead of their registries; what it does not have, no module gets. Read from a directory's
/// absolute path or an address that begins with `https://`.
///
/// ```
/// use rad_runner::terraform::ProviderMirror;
///
/// assert_eq!("/srv/providers".parse(), Ok(ProviderMirror::Directory("/srv/providers".into())));
/// assert!("https://mirror.example.com/providers/".parse::<ProviderMirror>().is_ok());
/// assert!("providers".parse::<ProviderMirror>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ProviderMirror {
    /// A directory as `terraform providers mirror` fills it. Runs read it, also without a network.
    Directory(PathBuf),
    /// A server that speaks the provider network mirror protocol; runs have to reach it by their network.
    Network(String),
}

/// A text that names no mirror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no mirror of providers: give the absolute path of a directory or an address that begins with https://, \
     without quotes, $, % or backslashes"
)]
pub struct NoMirror(String);

impl FromStr for ProviderMirror {
    type Err = NoMirror;

    fn from_str(text: &str) -> Result<Self, NoMirror> {
        // They stand between quotes in the engine's own language.
        let plain = !text.contains(|c: char| matches!(c, '"' | '\\' | '$' | '%') || c.is_control());
        if plain && text.len() > "https://".len() && text.starts_with("https://") {
            return Ok(Self::Network(format!("{}/", text.trim_end_matches('/'))));
        }
        match Path::new(text).is_absolute() && plain {
            true => Ok(Self::Directory(text.into())),
            false => Err(NoMirror(text.to_owned())),
        }
    }
}

impl TryFrom<String> for ProviderMirror {
    type Error = NoMirror;

    fn try_from(text: String) -> Result<Self, NoMirror> {
        text.parse()
    }
}

impl From<ProviderMirror> for String {
    fn from(mirror: ProviderMirror) -> Self {
        match mirror {
            ProviderMirror::Directory(path) => path.to_string_lossy().into_owned(),
            ProviderMirror::Network(url) => url,
        }
    }
}

impl ProviderMirror {
    /// Checks one that was not read from a text.
    pub(super) fn check(&self) -> Result<(), NoMirror> {
        String::from(self.clone()).parse().map(|_: Self| ())
    }

    /// What tells an engine.
    fn installation(&self) -> String {
        let (method, named, place) = match self {
            Self::Directory(path) => ("filesystem_mirror", "path", path.to_string_lossy()),
            Self::Network(url) => ("network_mirror", "url", Cow::from(url)),
        };
        format!("provider_installation {{\n  {method} {{\n    {named} = \"{place}\"\n  }}\n}}\n")
    }
}

/// Writes what tells engines of the mirror, if there is one.
///
/// # Errors
/// If a directory is not there, or the file cannot be written.
pub(super) fn prepare(config: &TerraformConfig) -> io::Result<()> {
    let Some(mirror) = &config.provider_mirror else { return Ok(()) };
    if let ProviderMirror::Directory(path) = mirror
        && !fs::metadata(path)?.is_dir()
    {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    fs::write(file(config), mirror.installation())
}

/// The CLI configuration file of engines: the operator's, or that of the mirror.
pub(super) fn cli_config(config: &TerraformConfig) -> Option<Cow<'_, Path>> {
    let own = config.cli_config.as_deref().map(Cow::from);
    own.or_else(|| config.provider_mirror.as_ref().map(|_| file(config).into()))
}

fn file(config: &TerraformConfig) -> PathBuf {
    config.work_root.join("mirror.tfrc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_told_in_their_own_words() {
        let told = |text: &str| text.parse::<ProviderMirror>().unwrap().installation();
        assert_eq!(
            told("https://mirror.example.com"),
            "provider_installation {\n  network_mirror {\n    url = \"https://mirror.example.com/\"\n  }\n}\n"
        );
        assert!(told("/srv/providers").contains("filesystem_mirror {\n    path = \"/srv/providers\"\n"));
    }

    #[test]
    fn what_would_leave_its_quotes_is_refused() {
        for text in ["/srv/a\"b", "/srv/${x}", "/srv/\n", "https://", "http://example.com", "srv"] {
            let refused = text.parse::<ProviderMirror>().unwrap_err().to_string();
            assert!(refused.contains("https://"), "{refused}");
        }
        assert!(serde_json::from_str::<ProviderMirror>("\"srv\"").is_err());
    }
}
