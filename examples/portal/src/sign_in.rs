//! Signing in: from an e-mail and a password to a session, and from a session's token to its account.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use chrono::{TimeDelta, Utc};
use rad_core::directory::{Directory, DirectoryError, SessionStore, normalise_email};
use rad_core::id::AccountId;
use secrecy::SecretString;

use crate::limiter::{BY_ACCOUNT, BY_ADDRESS, Limiter};
use crate::password::Passwords;
use crate::token::Token;

/// How long a session lasts.
pub(crate) const SESSION_SECONDS: u32 = 12 * 60 * 60;

/// Opens, finds and closes sessions.
#[derive(Debug)]
pub(crate) struct SignIn {
    directory: Arc<dyn Directory>,
    sessions: Arc<dyn SessionStore>,
    passwords: Passwords,
    limiter: Limiter,
}

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SignInError {
    /// No such account, or another password: which one is not said.
    #[error("This e-mail and password do not belong together.")]
    Wrong,
    /// Too many failures from this address, or for this account.
    #[error("Too many attempts. Wait five minutes, then try again.")]
    TooMany,
    /// The directory failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The machine gave no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl SignIn {
    /// Signs people in against `directory`.
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        sessions: Arc<dyn SessionStore>,
        passwords: Passwords,
    ) -> Self {
        Self { directory, sessions, passwords, limiter: Limiter::default() }
    }

    /// Opens a session for the account that `email` and `password` belong to.
    ///
    /// # Errors
    /// [`SignInError`]; unknown e-mails take as long as wrong passwords.
    pub(crate) async fn open(
        &self,
        from: IpAddr,
        email: &str,
        password: SecretString,
    ) -> Result<Token, SignInError> {
        let address = from.to_string();
        let email = normalise_email(email).unwrap_or_default();
        let now = Instant::now();
        if self.limiter.is_blocked(&address, BY_ADDRESS, now)
            || self.limiter.is_blocked(&email, BY_ACCOUNT, now)
        {
            return Err(SignInError::TooMany);
        }
        let account = match self.directory.account_by_email(&email).await {
            Ok(account) => Some(account.id),
            Err(DirectoryError::NotFound | DirectoryError::InvalidEmail { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let hash = match account {
            Some(account) => self.directory.password_hash(account).await?,
            None => None,
        };
        let (Some(account), true) = (account, self.passwords.verify(password, hash).await) else {
            self.limiter.failed(&address, now);
            self.limiter.failed(&email, now);
            return Err(SignInError::Wrong);
        };
        self.limiter.succeeded(&email);
        let token = Token::random()?;
        let expires = Utc::now() + TimeDelta::seconds(i64::from(SESSION_SECONDS));
        self.sessions.open(&token.digest(), account, expires).await?;
        Ok(token)
    }

    /// The account of an open session.
    ///
    /// # Errors
    /// A failure of the session store.
    pub(crate) async fn account(&self, token: &Token) -> Result<Option<AccountId>, DirectoryError> {
        self.sessions.session(&token.digest(), Utc::now()).await
    }

    /// Closes a session.
    ///
    /// # Errors
    /// A failure of the session store.
    pub(crate) async fn close(&self, token: &Token) -> Result<(), DirectoryError> {
        self.sessions.close(&token.digest()).await
    }
}
