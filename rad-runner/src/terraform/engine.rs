//! Finding an engine and learning its version.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rad_core::runner::{Engine, RunnerError};
use serde::Deserialize;

/// The page that says how to install an engine.
pub const INSTALL_PAGE: &str = "https://opentofu.org/docs/intro/install/";

/// The names of engines, in the order of preference.
const NAMES: [&str; 2] = ["tofu", "terraform"];

/// The environment variable that names the engine where none is configured.
const NAMED: &str = "RAD_TERRAFORM";

/// The engine that is run where none is configured: the one that the environment variable `RAD_TERRAFORM` names, or else the
/// first `tofu`, or else the first `terraform`, on `PATH`.
pub fn find_engine() -> Option<PathBuf> {
    match named() {
        Some(named) => Some(named).filter(|named| is_executable(named)),
        None => find_on(&env::var_os("PATH").unwrap_or_default(), &NAMES),
    }
}

/// The engine's executable: the configured one, or else [the one that is found](find_engine).
pub(super) fn find(configured: Option<&Path>) -> Result<PathBuf, RunnerError> {
    if let Some(path) = configured {
        return match is_executable(path) {
            true => Ok(path.to_owned()),
            false => Err(missing(format!("{} is not an executable file", path.display()))),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    find_engine().ok_or_else(|| missing(searched(named().as_deref(), &path)))
}

fn named() -> Option<PathBuf> {
    env::var_os(NAMED).filter(|named| !named.is_empty()).map(PathBuf::from)
}

/// Where an engine that was not found was looked for.
fn searched(named: Option<&Path>, path: &OsStr) -> String {
    match named {
        Some(named) => format!("{NAMED} names {}, which is not an executable file", named.display()),
        None => format!("looked for {} in {}", NAMES.join(" and "), path.to_string_lossy()),
    }
}

/// The first executable with one of these names, a better name in any directory before a worse one.
pub(super) fn find_on(path: &OsStr, names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| {
        let directories = env::split_paths(path).filter(|directory| directory.is_absolute());
        directories.map(|directory| directory.join(name)).find(|path| is_executable(path))
    })
}

/// What `version -json` prints.
pub(super) fn read_version(executable: &Path, printed: &[u8]) -> Result<Engine, RunnerError> {
    #[derive(Deserialize)]
    struct Version {
        terraform_version: String,
    }
    // Warnings about the CLI configuration may stand before the JSON.
    let start = printed.iter().position(|byte| *byte == b'{').unwrap_or_default();
    let version: Version = serde_json::from_slice(&printed[start..])
        .map_err(|_| missing(format!("{} does not tell its version", executable.display())))?;
    let tofu = executable.file_name().is_some_and(|name| name.to_string_lossy().contains("tofu"));
    let name = if tofu { "OpenTofu" } else { "Terraform" };
    Ok(Engine { name: name.to_owned(), version: version.terraform_version, is_terraform: true })
}

/// Whether the engine prints JSON while it initialises: Terraform and OpenTofu from 1.9.
pub(super) fn init_speaks_json(engine: &Engine) -> bool {
    let mut parts = engine.version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next(), parts.next()) >= (Some(1), Some(9))
}

pub(super) fn missing(searched: String) -> RunnerError {
    RunnerError::NoEngine { searched, install_page: INSTALL_PAGE }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_engine_is_named_with_the_page_that_mends_it() {
        let error = find(Some(Path::new("/nowhere/tofu"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/tofu") && error.contains(INSTALL_PAGE), "{error}");
    }

    #[test]
    fn only_where_it_was_looked_is_told() {
        let path = OsStr::new("/one:/two");
        assert_eq!(searched(None, path), "looked for tofu and terraform in /one:/two");
        let told = searched(Some(Path::new("/nowhere/tofu")), path);
        assert_eq!(told, "RAD_TERRAFORM names /nowhere/tofu, which is not an executable file");
    }

    #[test]
    fn tofu_anywhere_comes_before_terraform() {
        let root = tempfile::tempdir().unwrap();
        let directories: Vec<PathBuf> = ["a", "b"].map(|name| root.path().join(name)).to_vec();
        for (directory, name) in directories.iter().zip(["terraform", "tofu"]) {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join(name), "").unwrap();
        }
        let path = env::join_paths(&directories).unwrap();
        assert_eq!(find_on(&path, &NAMES), None, "not executable");
        for (directory, name) in directories.iter().zip(["terraform", "tofu"]) {
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(directory.join(name), executable).unwrap();
        }
        assert_eq!(find_on(&path, &NAMES), Some(directories[1].join("tofu")));
    }

    #[test]
    fn versions_are_read_past_warnings() {
        let printed = b"Warning: no such file\n{\"terraform_version\": \"1.11.4\"}";
        let engine = read_version(Path::new("/usr/bin/terraform"), printed).unwrap();
        assert_eq!((engine.name.as_str(), engine.version.as_str()), ("Terraform", "1.11.4"));
        assert!(init_speaks_json(&engine));
        assert!(!init_speaks_json(&Engine { version: "1.8.2".into(), ..engine }));
        assert!(read_version(Path::new("/usr/bin/terraform"), b"{}").is_err());
    }
}
