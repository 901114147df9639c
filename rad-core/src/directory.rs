//! The directory of accounts: who exists, what they may do, how they sign in, which repository they publish from.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::access::{Publisher, Role, Roles};
use crate::error::BackendError;
use crate::id::AccountId;
use crate::money::Credits;
use crate::page::{Cursor, Page};
use crate::repo::RepoConnection;
use crate::source::Digest;

/// A person or organisation on the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's id: the only thing about it that reaches a ledger.
    pub id: AccountId,
    /// The address the account signs in with: lower case, unique.
    pub email: String,
    /// The name people see.
    pub name: String,
    /// What the account may do.
    pub roles: Roles,
    /// The account that referred this one, never itself.
    pub referred_by: Option<AccountId>,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The address to sign in with; see [`normalise_email`].
    pub email: String,
    /// The name people see.
    pub name: String,
    /// What the account may do.
    pub roles: Roles,
    /// The account that referred this one.
    pub referred_by: Option<AccountId>,
    /// A password hash in the PHC string format; `None` for accounts that do not sign in by password.
    pub password_hash: Option<SecretString>,
}

/// Which accounts to list.
#[derive(Debug, Clone, Default)]
pub struct AccountQuery {
    /// Only accounts whose e-mail or name contains this, whatever the case.
    pub text: Option<String>,
    /// Only accounts that hold this role.
    pub role: Option<Role>,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// How many at the most; backends cap it at [`AccountQuery::MOST`].
    pub limit: u32,
}

impl AccountQuery {
    /// The most accounts on one page.
    pub const MOST: u32 = 200;
}

/// Credits that an account was promised when it was made, and has not got yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Whose they are.
    pub account: AccountId,
    /// How many.
    pub credits: Credits,
    /// When the account was made.
    pub since: DateTime<Utc>,
}

/// Stores accounts.
///
/// # Contract
/// - E-mails are unique after [`normalise_email`]; of two racing creations one gets [`DirectoryError::EmailTaken`].
/// - Listings are in the order of e-mails and can be paged to the end while accounts are added.
/// - What is read after a write returned is what was written.
/// - What an account is promised is stored with the account, or neither is; it is owed until it is noted as given.
#[async_trait]
pub trait Directory: Send + Sync + fmt::Debug {
    /// Makes an account that is owed `welcome` credits, none if that is zero.
    ///
    /// # Errors
    /// [`EmailTaken`](DirectoryError::EmailTaken), [`InvalidEmail`](DirectoryError::InvalidEmail),
    /// [`NotFound`](DirectoryError::NotFound) for a referrer that has no account.
    async fn create(
        &self,
        new: NewAccount,
        welcome: Credits,
        at: DateTime<Utc>,
    ) -> Result<Account, DirectoryError>;

    /// Up to `limit` of the credits that accounts are owed.
    async fn welcomes(&self, limit: u32) -> Result<Vec<Welcome>, DirectoryError>;

    /// Notes that an account got what it was promised; no error if it was noted before.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound).
    async fn welcomed(&self, id: AccountId) -> Result<(), DirectoryError>;

    /// The account with this id.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound).
    async fn account(&self, id: AccountId) -> Result<Account, DirectoryError>;

    /// The account with this e-mail, whatever the case it is written in.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound).
    async fn account_by_email(&self, email: &str) -> Result<Account, DirectoryError>;

    /// A page of accounts.
    async fn accounts(&self, query: &AccountQuery) -> Result<Page<Account>, DirectoryError>;

    /// Replaces the roles of an account.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound).
    async fn set_roles(&self, id: AccountId, roles: Roles) -> Result<(), DirectoryError>;

    /// The repository that a publisher publishes from.
    async fn connection(&self, publisher: Publisher) -> Result<Option<RepoConnection>, DirectoryError>;

    /// Replaces the repository of a publisher; `None` disconnects.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound) for a partner that has no account.
    async fn set_connection(
        &self,
        publisher: Publisher,
        connection: Option<&RepoConnection>,
    ) -> Result<(), DirectoryError>;

    /// The password hash of an account, `None` where it has none.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound).
    async fn password_hash(&self, id: AccountId) -> Result<Option<SecretString>, DirectoryError>;
}

/// Stores signed-in sessions by the digest of their token: who holds the database cannot sign in with it.
///
/// # Contract
/// - A session past its expiry is as good as none.
/// - Closing a session that does not exist is no error.
#[async_trait]
pub trait SessionStore: Send + Sync + fmt::Debug {
    /// Opens a session.
    ///
    /// # Errors
    /// [`NotFound`](DirectoryError::NotFound) if there is no such account.
    async fn open(
        &self,
        token: &Digest,
        account: AccountId,
        expires: DateTime<Utc>,
    ) -> Result<(), DirectoryError>;

    /// The account of an open session.
    async fn session(&self, token: &Digest, now: DateTime<Utc>) -> Result<Option<AccountId>, DirectoryError>;

    /// Closes one session.
    async fn close(&self, token: &Digest) -> Result<(), DirectoryError>;
}

/// What a directory refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No such account.
    #[error("no such account")]
    NotFound,
    /// Another account has this e-mail.
    #[error("an account with the e-mail {email:?} exists already")]
    EmailTaken {
        /// The address, normalised.
        email: String,
    },
    /// The text is not an e-mail address.
    #[error("{email:?} is not an e-mail address: it needs the form name@domain, at most 254 characters")]
    InvalidEmail {
        /// The start of what was given.
        email: String,
    },
    /// What the backend stands on failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// An e-mail address in the one form that accounts are compared by: trimmed and lower case.
///
/// # Errors
/// [`DirectoryError::InvalidEmail`] unless it has one `@` with text on both sides, no white space or control
/// character, and at most 254 characters (RFC 5321).
pub fn normalise_email(email: &str) -> Result<String, DirectoryError> {
    let normal = email.trim().to_lowercase();
    let valid = normal.len() <= 254
        && !normal.contains(|c: char| c.is_whitespace() || c.is_control() || ",;<>\"".contains(c))
        && matches!(normal.split_once('@'), Some((name, domain))
            if !name.is_empty() && domain.contains(|c: char| c.is_alphanumeric()) && !domain.contains('@'));
    if valid {
        Ok(normal)
    } else {
        Err(DirectoryError::InvalidEmail { email: email.chars().take(80).collect() })
    }
}
