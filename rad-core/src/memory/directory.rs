//! Accounts and sessions in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::access::{Publisher, Roles};

use crate::directory::{
    Account, AccountQuery, Directory, DirectoryError, NewAccount, SessionStore, Welcome, normalise_email,
};
use crate::id::AccountId;
use crate::money::Credits;
use crate::page::{Cursor, Page};
use crate::repo::RepoConnection;
use crate::source::Digest;

/// A [`Directory`] and [`SessionStore`] that lasts as long as the process.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rad_core::directory::DirectoryError> {
/// use rad_core::access::{Role, Roles};
/// use rad_core::directory::{Directory, NewAccount};
/// use rad_core::memory::MemoryDirectory;
/// use rad_core::money::Credits;
///
/// let directory = MemoryDirectory::default();
/// let new = NewAccount {
///     email: "Partner@Example.com".into(),
///     name: "A partner".into(),
///     roles: Roles::from([Role::User, Role::Partner]),
///     referred_by: None,
///     password_hash: None,
/// };
/// let account = directory.create(new, Credits::ZERO, chrono::Utc::now()).await?;
/// assert_eq!(directory.account_by_email("partner@example.com").await?, account);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryDirectory {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// By e-mail: the order of listings.
    accounts: BTreeMap<String, Record>,
    emails: HashMap<AccountId, String>,
    connections: HashMap<Publisher, RepoConnection>,
    sessions: HashMap<Digest, (AccountId, DateTime<Utc>)>,
}

#[derive(Debug)]
struct Record {
    account: Account,
    password_hash: Option<SecretString>,
    /// What it is owed.
    welcome: Credits,
}

impl MemoryDirectory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn record(&self, id: AccountId) -> Result<&Record, DirectoryError> {
        let record = self.emails.get(&id).and_then(|email| self.accounts.get(email));
        record.ok_or(DirectoryError::NotFound)
    }

    fn record_mut(&mut self, id: AccountId) -> Result<&mut Record, DirectoryError> {
        let record = self.emails.get(&id).and_then(|email| self.accounts.get_mut(email));
        record.ok_or(DirectoryError::NotFound)
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn create(
        &self,
        new: NewAccount,
        welcome: Credits,
        at: DateTime<Utc>,
    ) -> Result<Account, DirectoryError> {
        let email = normalise_email(&new.email)?;
        let mut tables = self.tables();
        if tables.accounts.contains_key(&email) {
            return Err(DirectoryError::EmailTaken { email });
        }
        if let Some(referrer) = new.referred_by {
            tables.record(referrer)?;
        }
        let account = Account {
            id: AccountId::new(),
            email: email.clone(),
            name: new.name,
            roles: new.roles,
            referred_by: new.referred_by,
            created_at: at,
        };
        tables.emails.insert(account.id, email.clone());
        let record = Record { account: account.clone(), password_hash: new.password_hash, welcome };
        tables.accounts.insert(email, record);
        Ok(account)
    }

    async fn welcomes(&self, limit: u32) -> Result<Vec<Welcome>, DirectoryError> {
        let tables = self.tables();
        let owed = tables.accounts.values().filter(|record| record.welcome > Credits::ZERO);
        let owed = owed.map(|record| Welcome {
            account: record.account.id,
            credits: record.welcome,
            since: record.account.created_at,
        });
        Ok(owed.take(limit as usize).collect())
    }

    async fn welcomed(&self, id: AccountId) -> Result<(), DirectoryError> {
        self.tables().record_mut(id)?.welcome = Credits::ZERO;
        Ok(())
    }

    async fn account(&self, id: AccountId) -> Result<Account, DirectoryError> {
        Ok(self.tables().record(id)?.account.clone())
    }

    async fn account_by_email(&self, email: &str) -> Result<Account, DirectoryError> {
        let email = normalise_email(email).map_err(|_| DirectoryError::NotFound)?;
        let tables = self.tables();
        tables.accounts.get(&email).map(|record| record.account.clone()).ok_or(DirectoryError::NotFound)
    }

    async fn accounts(&self, query: &AccountQuery) -> Result<Page<Account>, DirectoryError> {
        let limit = query.limit.clamp(1, AccountQuery::MOST) as usize;
        let after = query.after.as_ref().map_or("", Cursor::as_str);
        let text = query.text.as_deref().map(str::to_lowercase).unwrap_or_default();
        let tables = self.tables();
        let mut found = tables
            .accounts
            .values()
            .map(|record| &record.account)
            .filter(|account| account.email.as_str() > after)
            .filter(|account| account.email.contains(&text) || account.name.to_lowercase().contains(&text))
            .filter(|account| query.role.is_none_or(|role| account.roles.has(role)));
        let items: Vec<Account> = found.by_ref().take(limit).cloned().collect();
        let next = match (found.next(), items.last()) {
            (Some(_), Some(last)) => Some(Cursor::new(&last.email)),
            _ => None,
        };
        Ok(Page::one_way(items, next))
    }

    async fn set_roles(&self, id: AccountId, roles: Roles) -> Result<(), DirectoryError> {
        self.tables().record_mut(id)?.account.roles = roles;
        Ok(())
    }

    async fn connection(&self, publisher: Publisher) -> Result<Option<RepoConnection>, DirectoryError> {
        Ok(self.tables().connections.get(&publisher).cloned())
    }

    async fn set_connection(
        &self,
        publisher: Publisher,
        connection: Option<&RepoConnection>,
    ) -> Result<(), DirectoryError> {
        let mut tables = self.tables();
        if let Some(partner) = publisher.partner() {
            tables.record(partner)?;
        }
        match connection {
            Some(connection) => tables.connections.insert(publisher, connection.clone()),
            None => tables.connections.remove(&publisher),
        };
        Ok(())
    }

    async fn password_hash(&self, id: AccountId) -> Result<Option<SecretString>, DirectoryError> {
        Ok(self.tables().record(id)?.password_hash.clone())
    }
}

#[async_trait]
impl SessionStore for MemoryDirectory {
    async fn open(
        &self,
        token: &Digest,
        account: AccountId,
        expires: DateTime<Utc>,
    ) -> Result<(), DirectoryError> {
        let mut tables = self.tables();
        tables.record(account)?;
        tables.sessions.insert(*token, (account, expires));
        Ok(())
    }

    async fn session(&self, token: &Digest, now: DateTime<Utc>) -> Result<Option<AccountId>, DirectoryError> {
        let mut tables = self.tables();
        match tables.sessions.get(token) {
            Some((account, expires)) if *expires > now => Ok(Some(*account)),
            Some(_) => {
                tables.sessions.retain(|_, (_, expires)| *expires > now);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn close(&self, token: &Digest) -> Result<(), DirectoryError> {
        self.tables().sessions.remove(token);
        Ok(())
    }
}
