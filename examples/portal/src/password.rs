//! Passwords: hashed with Argon2id away from the async threads, compared at the same cost for everybody.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// Letters and digits without those that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The longest password that is looked at, in bytes.
const LONGEST: usize = 256;

/// Hashes and checks passwords, a few at a time: each takes 19 MiB of memory.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    slots: Arc<Semaphore>,
    /// What the passwords of unknown accounts are compared with, so that they take as long as known ones.
    nobody: Arc<SecretString>,
}

impl Passwords {
    /// Makes ready to hash and check.
    ///
    /// # Errors
    /// If the machine gives no randomness.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let slots = Arc::new(Semaphore::new(4));
        let nobody = Arc::new(hash(random()?).await?);
        Ok(Self { slots, nobody })
    }

    /// Whether `password` belongs to `hash`; without a hash it is compared all the same, and never belongs.
    pub(crate) async fn verify(&self, password: SecretString, hash: Option<SecretString>) -> bool {
        let Ok(_slot) = self.slots.acquire().await else { return false };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| SecretString::clone(&self.nobody));
        let verify = move || {
            let password = password.expose_secret().as_bytes();
            let parsed = PasswordHash::new(hash.expose_secret());
            password.len() <= LONGEST
                && parsed.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
        };
        tokio::task::spawn_blocking(verify).await.unwrap_or(false) && known
    }
}

/// Hashes a password into the PHC string format.
///
/// # Errors
/// If the machine gives no randomness for the salt.
pub(crate) async fn hash(password: SecretString) -> anyhow::Result<SecretString> {
    let hashed = tokio::task::spawn_blocking(move || {
        let hash: PasswordHash = Argon2::default().hash_password(password.expose_secret().as_bytes())?;
        Ok::<_, argon2::password_hash::Error>(hash.to_string())
    });
    Ok(hashed.await??.into())
}

/// A random password of 20 characters, 100 bits.
///
/// # Errors
/// If the machine gives no randomness.
pub(crate) fn random() -> anyhow::Result<SecretString> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_taken() {
        let passwords = Passwords::new().await.unwrap();
        let hash = hash("correct horse".into()).await.unwrap();
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await);
        assert!(!passwords.verify("correct horse ".into(), Some(hash.clone())).await);
        assert!(!passwords.verify("correct horse".into(), None).await);
        assert!(!passwords.verify("correct horse".into(), Some("no hash".into())).await);
    }
}
