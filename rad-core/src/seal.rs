//! Keys that keep what is secret in a database unreadable, and sealing with them.

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::error::BackendError;
use crate::source::Digest;

/// The first byte of what is sealed: XChaCha20-Poly1305, the key's name, a random nonce, the ciphertext.
const VERSION: u8 = 1;

/// Bytes of a key's name.
const NAME: usize = 8;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// Keys of a ring at the most.
const KEYS: usize = 16;

/// Keys of 256 bits for XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha): the first seals, each opens what it sealed.
///
/// Keys are written in base64 (RFC 4648 §4), one after the other with white space or commas between them. To change keys, put a
/// new one first; the old one can go once everything was sealed anew.
///
/// ```
/// use rad_core::seal::Keyring;
///
/// let (old, new) = (Keyring::generate(), Keyring::generate());
/// let sealed = old.seal("token:7", b"secret")?;
/// let both = new.clone().and(old);
/// assert_eq!(both.unseal("token:7", &sealed)?, b"secret");
/// assert!(!both.is_current(&sealed));
/// let again = both.resealed("token:7", &sealed)?.expect("an older key sealed it");
/// assert_eq!(new.unseal("token:7", &again)?, b"secret");
/// assert_eq!(both.resealed("token:7", &again)?, None);
/// # Ok::<(), rad_core::error::BackendError>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    /// Never empty.
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    /// Tells keys apart and nothing of them.
    name: [u8; NAME],
    cipher: XChaCha20Poly1305,
}

impl Keyring {
    /// The keys written in `text`, as it stands in an environment variable or a file.
    ///
    /// # Errors
    /// [`NotAKey`](KeyError::NotAKey) unless it is up to 16 times 32 bytes in base64.
    pub fn from_base64(text: &SecretString) -> Result<Self, KeyError> {
        let words = text.expose_secret().split(|c: char| c.is_whitespace() || c == ',');
        let keys = words.filter(|word| !word.is_empty()).map(|word| {
            let bytes = Zeroizing::new(STANDARD.decode(word).map_err(|_| KeyError::NotAKey)?);
            Key::new(&bytes).ok_or(KeyError::NotAKey)
        });
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() || keys.len() > KEYS { Err(KeyError::NotAKey) } else { Ok(Self { keys }) }
    }

    /// One random key that is kept nowhere.
    pub fn generate() -> Self {
        let bytes = new_key();
        Self { keys: Key::new(bytes.as_slice()).into_iter().collect() }
    }

    /// The same with the keys of `older`, which only open.
    #[must_use]
    pub fn and(mut self, older: Self) -> Self {
        self.keys.extend(older.keys);
        self
    }

    /// Encrypts `plain` with the first key; only the same `place` opens it again, so that what is sealed cannot be moved.
    ///
    /// # Errors
    /// If it is too long, which is beyond 256 GiB.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, BackendError> {
        use chacha20poly1305::aead::Generate as _;

        let failed = || BackendError::permanent("encrypting", "the content is too long");
        let key = self.keys.first().ok_or_else(failed)?;
        let nonce = XNonce::generate();
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let ciphertext = key.cipher.encrypt(&nonce, payload).map_err(|_| failed())?;
        Ok([&[VERSION], key.name.as_slice(), nonce.as_slice(), &ciphertext].concat())
    }

    /// Decrypts what was sealed for the same `place`.
    ///
    /// # Errors
    /// [`Corrupt`](crate::error::FailureKind::Corrupt) for anything else.
    pub fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, BackendError> {
        let corrupt = |why: &'static str| BackendError::corrupt("decrypting", why);
        let changed = "it was changed or moved";
        let (head, ciphertext) = sealed.split_at_checked(1 + NAME + NONCE).ok_or_else(|| corrupt(changed))?;
        let (name, nonce) = head.split_at(1 + NAME);
        let nonce = XNonce::try_from(nonce).map_err(|_| corrupt(changed))?;
        let Some((&VERSION, name)) = name.split_first() else { return Err(corrupt(changed)) };
        let mut named = self.keys.iter().filter(|key| key.name == name).peekable();
        if named.peek().is_none() {
            return Err(corrupt("it was sealed with a key that is not in the ring"));
        }
        let payload = || Payload { msg: ciphertext, aad: place.as_bytes() };
        named.find_map(|key| key.cipher.decrypt(&nonce, payload()).ok()).ok_or_else(|| corrupt(changed))
    }

    /// What an older key sealed, sealed with the first one; `None` if that sealed it.
    ///
    /// # Errors
    /// As [`unseal`](Self::unseal).
    pub fn resealed(&self, place: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        if self.is_current(sealed) {
            return Ok(None);
        }
        self.seal(place, &Zeroizing::new(self.unseal(place, sealed)?)).map(Some)
    }

    /// Whether something was sealed with the first key; otherwise it can be sealed anew, and the older key put away.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        self.keys.first().is_some_and(|key| sealed.get(1..=NAME) == Some(&key.name))
    }
}

impl Key {
    fn new(bytes: &[u8]) -> Option<Self> {
        let cipher = XChaCha20Poly1305::new_from_slice(bytes).ok()?;
        let mut labelled = Zeroizing::new(b"name of a key".to_vec());
        labelled.extend_from_slice(bytes);
        let digest = Digest::of(&labelled);
        let name = *digest.as_bytes().first_chunk()?;
        Some(Self { name, cipher })
    }
}

fn new_key() -> Zeroizing<[u8; 32]> {
    use chacha20poly1305::aead::Generate as _;

    Zeroizing::new(<[u8; 32]>::from(chacha20poly1305::aead::Key::<XChaCha20Poly1305>::generate()))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.keys.len()).finish()
    }
}

/// Keys that cannot be used.
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

#[cfg(unix)]
mod file {
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, Write};
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use super::*;

    /// Bytes of a key file at the most.
    const LONGEST: u64 = 2048;

    impl Keyring {
        /// The keys in a file that only its owner reads; a new one where there is no file yet. Keep a copy apart from the
        /// database: without the keys, nothing sealed in it can be read.
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
            if metadata.len() > LONGEST {
                return Err(KeyError::NotAKey);
            }
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Readable { path: path.to_owned(), mode });
            }
            Self::from_base64(&SecretString::from(fs::read_to_string(path).map_err(failed)?))
        }
    }

    /// Makes a file with a new key, all at once: a second process that starts at the same time reads the same key.
    fn make(path: &Path) -> io::Result<()> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}", uuid::Uuid::new_v4()));
        let unfinished = PathBuf::from(unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let text = Zeroizing::new(STANDARD.encode(new_key().as_slice()));
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
        fn a_key_file_is_made_once_for_its_owner_only() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("key");
            let sealed = Keyring::from_file(&path).unwrap().seal("p", b"x").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(Keyring::from_file(&path).unwrap().unseal("p", &sealed).unwrap(), b"x");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing unfinished is left");
            let old = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{}\n{old}", STANDARD.encode([7; 32]))).unwrap();
            let ring = Keyring::from_file(&path).unwrap();
            assert_eq!(ring.unseal("p", &sealed).unwrap(), b"x", "a new key was put first");
            assert!(!ring.is_current(&sealed) && ring.is_current(&ring.seal("p", b"x").unwrap()));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(Keyring::from_file(&path), Err(KeyError::Readable { mode: 0o644, .. })));
            fs::write(&path, "short").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Keyring::from_file(&path), Err(KeyError::NotAKey)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_place_open_what_was_sealed() {
        let (key, other) = (Keyring::generate(), Keyring::generate());
        let sealed = key.seal("state:x", b"the state").unwrap();
        assert_eq!(key.unseal("state:x", &sealed).unwrap(), b"the state");
        assert!(key.unseal("state:y", &sealed).is_err() && other.unseal("state:x", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal("state:x", &changed).is_err(), "byte {at}");
            assert!(key.unseal("state:x", &sealed[..at]).is_err(), "{at} bytes");
        }
        assert_ne!(key.seal("state:x", b"the state").unwrap(), sealed, "a nonce is used once");
        assert_eq!(format!("{key:?}"), "Keyring { keys: 1 }");
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let text = |keys: &[[u8; 32]], between: &str| {
            let keys: Vec<String> = keys.iter().map(|key| STANDARD.encode(key)).collect();
            Keyring::from_base64(&keys.join(between).into())
        };
        let sealed = text(&[[1; 32]], "").unwrap().seal("p", b"x").unwrap();
        for between in [",", "\n", " , "] {
            let ring = text(&[[2; 32], [1; 32]], between).unwrap();
            assert_eq!(ring.unseal("p", &sealed).unwrap(), b"x");
            assert!(!ring.is_current(&sealed));
        }
        assert!(text(&[[1; 32]; KEYS], ",").is_ok());
        for wrong in [text(&[], ""), text(&[[1; 32]; KEYS + 1], ","), Keyring::from_base64(&"AAAA".into())] {
            assert!(matches!(wrong, Err(KeyError::NotAKey)));
        }
    }
}
