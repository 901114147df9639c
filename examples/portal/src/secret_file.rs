//! A secret in a file that only the portal's own user can read, made at the first start.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::SecretString;
use uuid::Uuid;

use crate::token::Token;

/// The secret in the file; a new one of 256 random bits if there is no file.
///
/// # Errors
/// If others can read the file, or it cannot be read or made.
pub(crate) fn read_or_make(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    if !path.exists() {
        make(path).with_context(|| format!("{shown} cannot be made"))?;
    }
    read(path)
}

/// Makes the file at once with all that is in it, for processes that start together read the same; the first one's stays.
fn make(path: &Path) -> anyhow::Result<()> {
    let secret = Token::random()?.reveal();
    // Not named by the process: in containers that share the directory, all of them have the same number.
    let unfinished = path.with_extension(format!("{}.new", Uuid::new_v4()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// The secret in a file that somebody else made.
///
/// # Errors
/// If others can read the file, or it cannot be read.
pub(crate) fn read(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    let secret = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{shown} can be read by others (mode {:o}): run chmod 600 on it", mode & 0o777);
    }
    Ok(secret.trim().to_owned().into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_secret_stays_the_same_and_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = read_or_make(&path).unwrap();
        assert_eq!(made.expose_secret().len(), 64);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&path).unwrap().expose_secret(), made.expose_secret());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_or_make(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
