//! Credentials in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::access::Publisher;
use crate::credential::{CredentialKind, CredentialStore};
use crate::error::BackendError;

/// A [`CredentialStore`] that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryCredentials {
    credentials: Mutex<HashMap<(Publisher, CredentialKind), SecretString>>,
}

impl MemoryCredentials {
    fn credentials(&self) -> MutexGuard<'_, HashMap<(Publisher, CredentialKind), SecretString>> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CredentialStore for MemoryCredentials {
    async fn credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
    ) -> Result<Option<SecretString>, BackendError> {
        Ok(self.credentials().get(&(publisher, kind)).cloned())
    }

    async fn set_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        credential: Option<&SecretString>,
    ) -> Result<(), BackendError> {
        let key = (publisher, kind);
        match credential {
            Some(credential) => drop(self.credentials().insert(key, credential.clone())),
            None => drop(self.credentials().remove(&key)),
        }
        Ok(())
    }

    async fn replace_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        before: Option<&SecretString>,
        credential: &SecretString,
    ) -> Result<bool, BackendError> {
        let mut credentials = self.credentials();
        let key = (publisher, kind);
        let there = credentials.get(&key).map(|there| there.expose_secret());
        if there != before.map(|before| before.expose_secret()) {
            return Ok(false);
        }
        credentials.insert(key, credential.clone());
        Ok(true)
    }
}
