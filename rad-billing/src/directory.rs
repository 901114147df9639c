//! Accounts, sessions and connected repositories on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::{Publisher, Roles};
use rad_core::directory::{
    Account, AccountQuery, Directory, DirectoryError, NewAccount, SessionStore, normalise_email,
};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::page::{Cursor, Page};
use rad_core::repo::RepoConnection;
use rad_core::source::Digest;
use secrecy::{ExposeSecret, SecretString};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row};

use crate::database::{bytes, failed, is_taken, time};
use crate::sqlite::{column, optional};

/// A [`Directory`] and [`SessionStore`] in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteDirectory {
    pool: SqlitePool,
}

impl SqliteDirectory {
    /// The directory in a database that [`open`](crate::sqlite::open) opened.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    async fn exists(&self, id: AccountId) -> Result<(), DirectoryError> {
        let found = sqlx::query("SELECT 1 FROM directory_accounts WHERE id = ?")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("looking for an account"))?;
        found.map(|_| ()).ok_or(DirectoryError::NotFound)
    }
}

#[async_trait]
impl Directory for SqliteDirectory {
    async fn create(&self, new: NewAccount, at: DateTime<Utc>) -> Result<Account, DirectoryError> {
        let email = normalise_email(&new.email)?;
        if let Some(referrer) = new.referred_by {
            self.exists(referrer).await?;
        }
        let account = Account {
            id: AccountId::new(),
            email,
            name: new.name,
            roles: new.roles,
            referred_by: new.referred_by,
            created_at: at,
        };
        let made = sqlx::query(
            "INSERT INTO directory_accounts
                 (id, email, name, name_folded, roles, referred_by, password_hash, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(account.id.as_bytes().as_slice())
        .bind(&account.email)
        .bind(&account.name)
        .bind(account.name.to_lowercase())
        .bind(roles_text(account.roles))
        .bind(account.referred_by.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(new.password_hash.as_ref().map(ExposeSecret::expose_secret))
        .bind(at.timestamp_micros())
        .execute(&self.pool)
        .await;
        match made {
            Ok(_) => Ok(account),
            Err(error) if is_taken(&error) => Err(DirectoryError::EmailTaken { email: account.email }),
            Err(error) => Err(failed("making an account")(error).into()),
        }
    }

    async fn account(&self, id: AccountId) -> Result<Account, DirectoryError> {
        let row = sqlx::query("SELECT * FROM directory_accounts WHERE id = ?")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading an account"))?;
        Ok(account(&row.ok_or(DirectoryError::NotFound)?)?)
    }

    async fn account_by_email(&self, email: &str) -> Result<Account, DirectoryError> {
        let email = normalise_email(email).map_err(|_| DirectoryError::NotFound)?;
        let row = sqlx::query("SELECT * FROM directory_accounts WHERE email = ?")
            .bind(email)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading an account"))?;
        Ok(account(&row.ok_or(DirectoryError::NotFound)?)?)
    }

    async fn accounts(&self, query: &AccountQuery) -> Result<Page<Account>, DirectoryError> {
        let limit = query.limit.clamp(1, AccountQuery::MOST);
        let mut sql = QueryBuilder::new("SELECT * FROM directory_accounts WHERE email > ");
        sql.push_bind(query.after.as_ref().map_or("", Cursor::as_str));
        if let Some(text) = &query.text {
            let text = text.to_lowercase();
            sql.push(" AND (instr(email, ").push_bind(text.clone());
            sql.push(") > 0 OR instr(name_folded, ").push_bind(text).push(") > 0)");
        }
        if let Some(role) = query.role {
            sql.push(" AND instr(roles, ").push_bind(format!(" {role} ")).push(") > 0");
        }
        sql.push(" ORDER BY email LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = sql.build().fetch_all(&self.pool).await.map_err(failed("listing accounts"))?;
        let more = rows.len() > limit as usize;
        let items: Vec<Account> = rows.iter().take(limit as usize).map(account).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| more).map(|last| Cursor::new(&last.email));
        Ok(Page::one_way(items, next))
    }

    async fn set_roles(&self, id: AccountId, roles: Roles) -> Result<(), DirectoryError> {
        let done = sqlx::query("UPDATE directory_accounts SET roles = ? WHERE id = ?")
            .bind(roles_text(roles))
            .bind(id.as_bytes().as_slice())
            .execute(&self.pool)
            .await
            .map_err(failed("replacing roles"))?;
        if done.rows_affected() == 0 { Err(DirectoryError::NotFound) } else { Ok(()) }
    }

    async fn connection(&self, publisher: Publisher) -> Result<Option<RepoConnection>, DirectoryError> {
        let row =
            sqlx::query("SELECT repository, branch, sub_dir FROM directory_connections WHERE publisher = ?")
                .bind(publisher_key(publisher))
                .fetch_optional(&self.pool)
                .await
                .map_err(failed("reading a connection"))?;
        let read = |row: SqliteRow| {
            Ok(RepoConnection {
                repository: row.try_get("repository")?,
                branch: row.try_get("branch")?,
                sub_dir: row.try_get("sub_dir")?,
            })
        };
        Ok(row.map(read).transpose().map_err(failed("reading a connection"))?)
    }

    async fn publishers_of(&self, repository: &str) -> Result<Vec<Publisher>, DirectoryError> {
        let doing = "looking for who is connected to a repository";
        let select = "SELECT publisher FROM directory_connections WHERE repository = ? COLLATE NOCASE";
        let keys: Vec<Vec<u8>> =
            sqlx::query_scalar(select).bind(repository).fetch_all(&self.pool).await.map_err(failed(doing))?;
        let corrupt = || BackendError::corrupt(doing, "a publisher is no account").into();
        keys.iter().map(|key| publisher(key).ok_or_else(corrupt)).collect()
    }

    async fn set_connection(
        &self,
        publisher: Publisher,
        connection: Option<&RepoConnection>,
    ) -> Result<(), DirectoryError> {
        if let Some(partner) = publisher.partner() {
            self.exists(partner).await?;
        }
        let key = publisher_key(publisher);
        let statement = match connection {
            None => sqlx::query("DELETE FROM directory_connections WHERE publisher = ?").bind(key),
            Some(connection) => sqlx::query(
                "INSERT OR REPLACE INTO directory_connections (publisher, repository, branch, sub_dir)
                 VALUES (?, ?, ?, ?)",
            )
            .bind(key)
            .bind(&connection.repository)
            .bind(&connection.branch)
            .bind(&connection.sub_dir),
        };
        statement.execute(&self.pool).await.map_err(failed("replacing a connection"))?;
        Ok(())
    }

    async fn password_hash(&self, id: AccountId) -> Result<Option<SecretString>, DirectoryError> {
        let hash: Option<Option<String>> =
            sqlx::query_scalar("SELECT password_hash FROM directory_accounts WHERE id = ?")
                .bind(id.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await
                .map_err(failed("reading a password hash"))?;
        Ok(hash.ok_or(DirectoryError::NotFound)?.map(SecretString::from))
    }
}

#[async_trait]
impl SessionStore for SqliteDirectory {
    async fn open(
        &self,
        token: &Digest,
        account: AccountId,
        expires: DateTime<Utc>,
    ) -> Result<(), DirectoryError> {
        self.exists(account).await?;
        sqlx::query("INSERT OR REPLACE INTO directory_sessions (token, account, expires) VALUES (?, ?, ?)")
            .bind(token.as_bytes().as_slice())
            .bind(account.as_bytes().as_slice())
            .bind(expires.timestamp_micros())
            .execute(&self.pool)
            .await
            .map_err(failed("opening a session"))?;
        Ok(())
    }

    async fn session(&self, token: &Digest, now: DateTime<Utc>) -> Result<Option<AccountId>, DirectoryError> {
        let row = sqlx::query("SELECT account, expires FROM directory_sessions WHERE token = ?")
            .bind(token.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a session"))?;
        let Some(row) = row else { return Ok(None) };
        let account = column(&row, "account", |stored: &[u8]| bytes(stored).map(AccountId::from_bytes))?;
        if column(&row, "expires", time)? > now {
            return Ok(Some(account));
        }
        sqlx::query("DELETE FROM directory_sessions WHERE expires <= ?")
            .bind(now.timestamp_micros())
            .execute(&self.pool)
            .await
            .map_err(failed("clearing expired sessions"))?;
        Ok(None)
    }

    async fn close(&self, token: &Digest) -> Result<(), DirectoryError> {
        sqlx::query("DELETE FROM directory_sessions WHERE token = ?")
            .bind(token.as_bytes().as_slice())
            .execute(&self.pool)
            .await
            .map_err(failed("closing a session"))?;
        Ok(())
    }
}

fn account(row: &SqliteRow) -> Result<Account, BackendError> {
    let id = |stored: &[u8]| bytes(stored).map(AccountId::from_bytes);
    Ok(Account {
        id: column(row, "id", id)?,
        email: column(row, "email", Some)?,
        name: column(row, "name", Some)?,
        roles: column(row, "roles", roles)?,
        referred_by: optional(row, "referred_by", id)?,
        created_at: column(row, "created_at", time)?,
    })
}

/// The roles with a space on both sides of each, so that one can be looked for.
fn roles_text(roles: Roles) -> String {
    roles.iter().fold(String::from(" "), |text, role| text + role.as_str() + " ")
}

fn roles(text: &str) -> Option<Roles> {
    text.split_whitespace().map(|role| role.parse().ok()).collect::<Option<Vec<_>>>().map(Roles::from)
}

/// The publisher stored under a key.
fn publisher(key: &[u8]) -> Option<Publisher> {
    if key.is_empty() {
        return Some(Publisher::Platform);
    }
    bytes(key).map(|id| Publisher::Partner(AccountId::from_bytes(id)))
}

fn publisher_key(publisher: Publisher) -> Vec<u8> {
    publisher.partner().map(|partner| partner.as_bytes().to_vec()).unwrap_or_default()
}
