//! The key that keeps what is secret in the database unreadable, and sealing with it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rad_core::error::BackendError;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The first byte of what is sealed: XChaCha20-Poly1305, a random nonce, the ciphertext.
const VERSION: u8 = 1;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// Bytes of a key file at the most: 44 characters of base64 and some white space.
const LONGEST_FILE: u64 = 256;

/// A 256-bit key for XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha).
#[derive(Clone)]
pub struct EncryptionKey {
    cipher: XChaCha20Poly1305,
}

impl EncryptionKey {
    /// The key written as base64 (RFC 4648 §4), as it stands in an environment variable.
    ///
    /// # Errors
    /// [`NotAKey`](KeyError::NotAKey) unless it is 32 bytes in base64.
    pub fn from_base64(text: &SecretString) -> Result<Self, KeyError> {
        let text = text.expose_secret().trim();
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError::NotAKey)?);
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| KeyError::NotAKey)?;
        Ok(Self { cipher })
    }

    /// The key in a file that only its owner reads; a new one where there is no file yet. Keep a copy apart from the
    /// database: without the key, no state in it can be read.
    ///
    /// # Errors
    /// [`Readable`](KeyError::Readable) if others may read the file, [`NotAKey`](KeyError::NotAKey), or
    /// [`Io`](KeyError::Io).
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        if !path.exists() {
            make(path).map_err(failed)?;
        }
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.len() > LONGEST_FILE {
            return Err(KeyError::NotAKey);
        }
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable { path: path.to_owned(), mode });
        }
        Self::from_base64(&SecretString::from(fs::read_to_string(path).map_err(failed)?))
    }

    /// Encrypts `plain`; only the same `place` opens it again.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, BackendError> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let ciphertext = self
            .cipher
            .encrypt(&nonce, payload)
            .map_err(|_| BackendError::permanent("encrypting", "the content is too long"))?;
        Ok([&[VERSION], nonce.as_slice(), &ciphertext].concat())
    }

    /// Decrypts what was sealed for the same `place`.
    pub(super) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, BackendError> {
        let corrupt =
            || BackendError::corrupt("decrypting", "it was changed, moved or sealed with another key");
        let (head, ciphertext) = sealed.split_at_checked(1 + NONCE).ok_or_else(corrupt)?;
        let nonce = XNonce::try_from(&head[1..]).map_err(|_| corrupt())?;
        if head[0] != VERSION {
            return Err(corrupt());
        }
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        self.cipher.decrypt(&nonce, payload).map_err(|_| corrupt())
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKey").finish_non_exhaustive()
    }
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not 32 bytes in base64.
    #[error("the encryption key is not 32 bytes in base64: make one with `head -c 32 /dev/urandom | base64`")]
    NotAKey,
    /// Others than its owner may read it.
    #[error("the key file {path} has mode {mode:03o} and others may read it: run `chmod 600` on it")]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be read or written.
    #[error("the key file {path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes a file with a new key, all at once: a second process that starts at the same time reads the same key.
fn make(path: &Path) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", uuid::Uuid::new_v4()));
    let unfinished = PathBuf::from(unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let key = Zeroizing::new(<[u8; 32]>::from(Key::<XChaCha20Poly1305>::generate()));
    let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    writeln!(file, "{}", *text)?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The name is on the disk too before anything is sealed with the key.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_place_open_what_was_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let key = EncryptionKey::from_file(&directory.path().join("a")).unwrap();
        let other = EncryptionKey::from_file(&directory.path().join("b")).unwrap();
        let sealed = key.seal("state:x", b"the state").unwrap();
        assert_eq!(key.unseal("state:x", &sealed).unwrap(), b"the state");
        assert!(key.unseal("state:y", &sealed).is_err() && other.unseal("state:x", &sealed).is_err());
        for at in [0, 1, NONCE + 1, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal("state:x", &changed).is_err(), "byte {at}");
        }
        assert!(key.unseal("state:x", &sealed[..10]).is_err());
        assert_ne!(key.seal("state:x", b"the state").unwrap(), sealed, "a nonce is used once");
        assert_eq!(format!("{key:?}"), "EncryptionKey { .. }");
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let sealed = EncryptionKey::from_file(&path).unwrap().seal("p", b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(EncryptionKey::from_file(&path).unwrap().unseal("p", &sealed).unwrap(), b"x");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing unfinished is left");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(EncryptionKey::from_file(&path), Err(KeyError::Readable { mode: 0o644, .. })));
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(EncryptionKey::from_file(&path), Err(KeyError::NotAKey)));
    }
}
