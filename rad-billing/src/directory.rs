//! Accounts, sessions and connected repositories, in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rad_core::access::{Publisher, Roles};
use rad_core::directory::{
    Account, AccountQuery, Directory, DirectoryError, NewAccount, SessionStore, Welcome, normalise_email,
};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::money::Credits;
use rad_core::page::{Cursor, Page};
use rad_core::repo::RepoConnection;
use rad_core::source::Digest;
use rad_sql::{Database, Row, failed, is_taken, sql};
use secrecy::{ExposeSecret, SecretString};

/// A [`Directory`] and [`SessionStore`] in a SQLite file or a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct SqlDirectory {
    database: Database,
}

impl SqlDirectory {
    /// The directory in a database that [`migrate`](crate::migrate) prepared.
    pub fn new(database: impl Into<Database>) -> Self {
        Self { database: database.into() }
    }

    async fn exists(&self, id: AccountId) -> Result<(), DirectoryError> {
        let find = sql("SELECT 1 FROM directory_accounts WHERE id = $1").bind(id);
        let found = find.finds(&self.database, "looking for an account").await?;
        if found { Ok(()) } else { Err(DirectoryError::NotFound) }
    }
}

#[async_trait]
impl Directory for SqlDirectory {
    async fn create(
        &self,
        new: NewAccount,
        welcome: Credits,
        at: DateTime<Utc>,
    ) -> Result<Account, DirectoryError> {
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
        let made = sql("INSERT INTO directory_accounts
                 (id, email, name, name_folded, roles, referred_by, password_hash, created_at, welcome)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(account.id)
        .bind(&account.email)
        .bind(&account.name)
        .bind(account.name.to_lowercase())
        .bind(roles_text(account.roles))
        .bind(account.referred_by)
        .bind(new.password_hash.as_ref().map(ExposeSecret::expose_secret))
        .bind(at)
        .bind(welcome.micros())
        .try_execute(&self.database)
        .await;
        match made {
            Ok(_) => Ok(account),
            Err(error) if is_taken(&error) => Err(DirectoryError::EmailTaken { email: account.email }),
            Err(error) => Err(failed("making an account")(error).into()),
        }
    }

    async fn welcomes(&self, limit: u32) -> Result<Vec<Welcome>, DirectoryError> {
        // In no order: those that cannot be credited hold up the others in one sweep, not in all.
        let find = sql(
            "SELECT id, welcome, created_at FROM directory_accounts WHERE welcome > 0 ORDER BY random() LIMIT $1",
        );
        let rows = find.bind(i64::from(limit)).rows(&self.database, "reading what accounts are owed").await?;
        let read = |row: &Row| {
            Ok(Welcome {
                account: row.get("id")?,
                credits: Credits::from_micros(row.get("welcome")?),
                since: row.get("created_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn welcomed(&self, id: AccountId) -> Result<(), DirectoryError> {
        let note = sql("UPDATE directory_accounts SET welcome = 0 WHERE id = $1").bind(id);
        let noted = note.execute(&self.database, "noting what an account got").await?;
        if noted == 0 { Err(DirectoryError::NotFound) } else { Ok(()) }
    }

    async fn account(&self, id: AccountId) -> Result<Account, DirectoryError> {
        let find = sql("SELECT * FROM directory_accounts WHERE id = $1").bind(id);
        let row = find.optional(&self.database, "reading an account").await?;
        Ok(account(&row.ok_or(DirectoryError::NotFound)?)?)
    }

    async fn account_by_email(&self, email: &str) -> Result<Account, DirectoryError> {
        let email = normalise_email(email).map_err(|_| DirectoryError::NotFound)?;
        let find = sql("SELECT * FROM directory_accounts WHERE email = $1").bind(email);
        let row = find.optional(&self.database, "reading an account").await?;
        Ok(account(&row.ok_or(DirectoryError::NotFound)?)?)
    }

    async fn accounts(&self, query: &AccountQuery) -> Result<Page<Account>, DirectoryError> {
        let limit = query.limit.clamp(1, AccountQuery::MOST);
        let mut find = sql("SELECT * FROM directory_accounts WHERE email > ");
        find.push_bind(query.after.as_ref().map_or("", Cursor::as_str));
        if let Some(text) = &query.text {
            let text = text.to_lowercase();
            find.push(" AND (instr(email, ").push_bind(&text);
            find.push(") > 0 OR instr(name_folded, ").push_bind(text).push(") > 0)");
        }
        if let Some(role) = query.role {
            find.push(" AND instr(roles, ").push_bind(format!(" {role} ")).push(") > 0");
        }
        find.push(" ORDER BY email LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = find.rows(&self.database, "listing accounts").await?;
        let more = rows.len() > limit as usize;
        let items: Vec<Account> = rows.iter().take(limit as usize).map(account).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| more).map(|last| Cursor::new(&last.email));
        Ok(Page::one_way(items, next))
    }

    async fn set_roles(&self, id: AccountId, roles: Roles) -> Result<(), DirectoryError> {
        let update =
            sql("UPDATE directory_accounts SET roles = $1 WHERE id = $2").bind(roles_text(roles)).bind(id);
        let replaced = update.execute(&self.database, "replacing roles").await?;
        if replaced == 0 { Err(DirectoryError::NotFound) } else { Ok(()) }
    }

    async fn connection(&self, publisher: Publisher) -> Result<Option<RepoConnection>, DirectoryError> {
        let find = sql("SELECT repository, branch, sub_dir FROM directory_connections WHERE publisher = $1")
            .bind(publisher);
        let row = find.optional(&self.database, "reading a connection").await?;
        let read = |row: Row| {
            Ok(RepoConnection {
                repository: row.get("repository")?,
                branch: row.get("branch")?,
                sub_dir: row.get("sub_dir")?,
            })
        };
        row.map(read).transpose()
    }

    async fn set_connection(
        &self,
        publisher: Publisher,
        connection: Option<&RepoConnection>,
    ) -> Result<(), DirectoryError> {
        if let Some(partner) = publisher.partner() {
            self.exists(partner).await?;
        }
        let replace = match connection {
            None => sql("DELETE FROM directory_connections WHERE publisher = $1").bind(publisher),
            Some(connection) => sql(
                "INSERT INTO directory_connections (publisher, repository, branch, sub_dir) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (publisher) DO UPDATE SET
                     repository = excluded.repository, branch = excluded.branch, sub_dir = excluded.sub_dir",
            )
            .bind(publisher)
            .bind(&connection.repository)
            .bind(connection.branch.as_deref())
            .bind(&connection.sub_dir),
        };
        replace.execute(&self.database, "replacing a connection").await?;
        Ok(())
    }

    async fn password_hash(&self, id: AccountId) -> Result<Option<SecretString>, DirectoryError> {
        let find = sql("SELECT password_hash FROM directory_accounts WHERE id = $1").bind(id);
        let row = find.optional(&self.database, "reading a password hash").await?;
        let hash: Option<String> = row.ok_or(DirectoryError::NotFound)?.get("password_hash")?;
        Ok(hash.map(SecretString::from))
    }
}

#[async_trait]
impl SessionStore for SqlDirectory {
    async fn open(
        &self,
        token: &Digest,
        account: AccountId,
        expires: DateTime<Utc>,
    ) -> Result<(), DirectoryError> {
        self.exists(account).await?;
        sql("INSERT INTO directory_sessions (token, account, expires) VALUES ($1, $2, $3)
             ON CONFLICT (token) DO UPDATE SET account = excluded.account, expires = excluded.expires")
        .bind(token)
        .bind(account)
        .bind(expires)
        .execute(&self.database, "opening a session")
        .await?;
        Ok(())
    }

    async fn session(&self, token: &Digest, now: DateTime<Utc>) -> Result<Option<AccountId>, DirectoryError> {
        let find = sql("SELECT account, expires FROM directory_sessions WHERE token = $1").bind(token);
        let Some(row) = find.optional(&self.database, "reading a session").await? else { return Ok(None) };
        if row.get::<DateTime<Utc>>("expires")? > now {
            return Ok(Some(row.get("account")?));
        }
        let clear = sql("DELETE FROM directory_sessions WHERE expires <= $1").bind(now);
        clear.execute(&self.database, "clearing expired sessions").await?;
        Ok(None)
    }

    async fn close(&self, token: &Digest) -> Result<(), DirectoryError> {
        let close = sql("DELETE FROM directory_sessions WHERE token = $1").bind(token);
        close.execute(&self.database, "closing a session").await?;
        Ok(())
    }
}

fn account(row: &Row) -> Result<Account, BackendError> {
    Ok(Account {
        id: row.get("id")?,
        email: row.get("email")?,
        name: row.get("name")?,
        roles: row.read("roles", |text: String| roles(&text))?,
        referred_by: row.get("referred_by")?,
        created_at: row.get("created_at")?,
    })
}

/// The roles with a space on both sides of each, so that one can be looked for.
fn roles_text(roles: Roles) -> String {
    roles.iter().fold(String::from(" "), |text, role| text + role.as_str() + " ")
}

fn roles(text: &str) -> Option<Roles> {
    text.split_whitespace().map(|role| role.parse().ok()).collect::<Option<Vec<_>>>().map(Roles::from)
}
