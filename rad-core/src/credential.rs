//! What publishers keep to open things of theirs elsewhere: tokens of repositories, keys of agents.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::access::Publisher;
use crate::error::BackendError;

/// What a credential opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// Repositories.
    Repository,
    /// A coding agent.
    Agent,
    /// What is told about the publisher's repository: what it is signed with.
    Webhook,
}

impl CredentialKind {
    /// The word it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Agent => "agent",
            Self::Webhook => "webhook",
        }
    }
}

/// Keeps credentials, one of each kind for each publisher.
///
/// # Contract
/// - A credential is readable only through [`credential`](Self::credential): at rest it is encrypted, with a key that is not
///   kept beside it.
/// - Of several who replace one credential at the same time, one does.
/// - It is in no log, error or `Debug` output.
#[async_trait]
pub trait CredentialStore: Send + Sync + fmt::Debug {
    /// The credential, if one was saved.
    ///
    /// # Errors
    /// [`Corrupt`](crate::error::FailureKind::Corrupt) for one that no key opens, or a failure of the backend.
    async fn credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
    ) -> Result<Option<SecretString>, BackendError>;

    /// Saves a credential in place of the one before; `None` removes it.
    ///
    /// # Errors
    /// A failure of the backend.
    async fn set_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        credential: Option<&SecretString>,
    ) -> Result<(), BackendError>;

    /// Saves a credential in place of `before`, or where there was none; whether it did. If another one is there by now, it
    /// stays.
    ///
    /// # Errors
    /// As [`credential`](Self::credential).
    async fn replace_credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
        before: Option<&SecretString>,
        credential: &SecretString,
    ) -> Result<bool, BackendError>;
}
