//! Tokens and keys of publishers: checked before they are saved, and never shown again.

use secrecy::SecretString;

use super::{Actor, Parts, PlatformError};
use crate::access::Publisher;
use crate::credential::{CredentialKind, CredentialStore};
use crate::repo::CredentialReport;

impl Actor {
    /// Saves the token that opens the publisher's repositories, after checking it; with a repository connected, also that
    /// it opens that one.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish; [`RepoError::Denied`](crate::repo::RepoError::Denied) names what the token
    /// lacks, and then the one before stays.
    pub async fn save_token(&self, token: &SecretString) -> Result<CredentialReport, PlatformError> {
        let publisher = self.publishes_as()?;
        let store = self.credentials()?;
        let connected = self.parts.directory.connection(publisher).await?;
        let repository = connected.as_ref().map(|connection| connection.repository.as_str());
        let report = self.parts.repos.check(token, repository).await?;
        store.set_credential(publisher, CredentialKind::Repository, Some(token)).await?;
        Ok(report)
    }

    /// What the source says about the token that is saved, asked anew; `None` without one.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish; [`RepoError::Denied`](crate::repo::RepoError::Denied) if it is taken no more.
    pub async fn token_report(&self) -> Result<Option<CredentialReport>, PlatformError> {
        match self.parts.token_of(self.publishes_as()?).await? {
            Some(token) => Ok(Some(self.parts.repos.check(&token, None).await?)),
            None => Ok(None),
        }
    }

    /// Forgets the token. What is published stays so, from its archived sources.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn forget_token(&self) -> Result<(), PlatformError> {
        let publisher = self.publishes_as()?;
        Ok(self.credentials()?.set_credential(publisher, CredentialKind::Repository, None).await?)
    }

    /// Whether a token is saved.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn has_token(&self) -> Result<bool, PlatformError> {
        Ok(self.parts.token_of(self.publishes_as()?).await?.is_some())
    }

    /// Saves the key that opens the code agent for the publisher, after checking it; without one, the key that the agent
    /// was set up with opens it, where there is one.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish, [`NoAgent`](PlatformError::NoAgent);
    /// [`AgentError::Denied`](crate::agent::AgentError::Denied) for a key that is not taken, and then the one before stays.
    pub async fn save_agent_key(&self, key: &SecretString) -> Result<(), PlatformError> {
        let (publisher, store) = (self.publishes_as()?, self.credentials()?);
        self.refining()?.agent.sources(Some(key)).await?;
        Ok(store.set_credential(publisher, CredentialKind::Agent, Some(key)).await?)
    }

    /// Forgets the key of the code agent.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn forget_agent_key(&self) -> Result<(), PlatformError> {
        let publisher = self.publishes_as()?;
        Ok(self.credentials()?.set_credential(publisher, CredentialKind::Agent, None).await?)
    }

    /// Whether a key of the code agent is saved.
    ///
    /// # Errors
    /// Forbidden to accounts that cannot publish.
    pub async fn has_agent_key(&self) -> Result<bool, PlatformError> {
        Ok(self.agent_key(self.publishes_as()?).await?.is_some())
    }

    /// Whether a code agent is there and opens for the account: with the publisher's key, or with one of its own.
    ///
    /// # Errors
    /// A failure of a backend; none for accounts that cannot publish.
    pub async fn has_agent(&self) -> Result<bool, PlatformError> {
        match (&self.parts.refining, self.publishes_as()) {
            (Some(refining), Ok(publisher)) => {
                Ok(refining.agent.has_own_key() || self.agent_key(publisher).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// The key that opens the code agent for a publisher, where the publisher has one.
    pub(super) async fn agent_key(
        &self,
        publisher: Publisher,
    ) -> Result<Option<SecretString>, PlatformError> {
        self.parts.credential(publisher, CredentialKind::Agent).await
    }

    pub(super) fn credentials(&self) -> Result<&dyn CredentialStore, PlatformError> {
        let reason = "this platform keeps no tokens and keys of publishers";
        let missing = || PlatformError::Invalid { field: "token", reason: reason.to_owned() };
        self.parts.credentials.as_deref().ok_or_else(missing)
    }
}

impl Parts {
    /// The token that opens a publisher's repositories.
    pub(super) async fn token_of(&self, publisher: Publisher) -> Result<Option<SecretString>, PlatformError> {
        self.credential(publisher, CredentialKind::Repository).await
    }

    pub(super) async fn credential(
        &self,
        publisher: Publisher,
        kind: CredentialKind,
    ) -> Result<Option<SecretString>, PlatformError> {
        match &self.credentials {
            Some(store) => Ok(store.credential(publisher, kind).await?),
            None => Ok(None),
        }
    }
}
