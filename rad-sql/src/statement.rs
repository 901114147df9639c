//! Statements: a text that both databases take, and what is bound to its places.

use rad_core::error::BackendError;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Sqlite};

use crate::database::{Database, On, Transaction};
use crate::error::failed;
use crate::row::Row;
use crate::value::{Bound, Value};

/// A statement in the SQL that SQLite and PostgreSQL have in common.
///
/// Its places are `$1`, `$2`, … The text comes from the program alone; whatever comes from elsewhere is bound. Where the
/// databases differ, the statement is written for SQLite: `instr(text, part)` becomes PostgreSQL's `strpos`, and what only
/// PostgreSQL needs ([`for_update`](Self::for_update)) is left out for SQLite.
#[derive(Clone)]
pub struct Statement {
    text: String,
    values: Vec<Value>,
    locking: String,
}

/// A statement with this text.
pub fn sql(text: &'static str) -> Statement {
    Statement { text: text.to_owned(), values: Vec::new(), locking: String::new() }
}

impl Statement {
    /// Binds the next place.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds to the text.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a place to the text, and binds it.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// Has others who want to change the rows found wait until the transaction ends; in SQLite they do anyway.
    #[must_use]
    pub fn for_update(mut self) -> Self {
        " FOR UPDATE".clone_into(&mut self.locking);
        self
    }

    /// As [`for_update`](Self::for_update), for the rows of one table among those that are joined, and leaves out those that
    /// others have locked.
    #[must_use]
    pub fn skip_locked(mut self, table: &'static str) -> Self {
        self.locking = format!(" FOR UPDATE OF {table} SKIP LOCKED");
        self
    }

    /// Executes it, and gives how many rows it concerned.
    ///
    /// # Errors
    /// A failure of the database while doing `during`.
    pub async fn execute<'c>(self, on: impl Into<On<'c>>, during: &'static str) -> Result<u64, BackendError> {
        self.try_execute(on).await.map_err(failed(during))
    }

    /// As [`execute`](Self::execute), with the error of the database itself: see [`is_taken`](crate::is_taken).
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn try_execute<'c>(self, on: impl Into<On<'c>>) -> Result<u64, sqlx::Error> {
        match on.into() {
            On::Database(Database::Sqlite(pool)) => {
                self.for_sqlite()?.execute(pool).await.map(|done| done.rows_affected())
            }
            On::Transaction(Transaction::Sqlite(transaction)) => {
                self.for_sqlite()?.execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
            #[cfg(feature = "postgres")]
            On::Database(Database::Postgres(pool)) => {
                self.for_postgres()?.execute(pool).await.map(|done| done.rows_affected())
            }
            #[cfg(feature = "postgres")]
            On::Transaction(Transaction::Postgres(transaction)) => {
                self.for_postgres()?.execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
        }
    }

    /// All rows it finds.
    ///
    /// # Errors
    /// A failure of the database while doing `during`.
    pub async fn rows<'c>(
        self,
        on: impl Into<On<'c>>,
        during: &'static str,
    ) -> Result<Vec<Row>, BackendError> {
        self.fetch(on.into()).await.map_err(failed(during))
    }

    /// The row it finds, if there is one.
    ///
    /// # Errors
    /// A failure of the database while doing `during`.
    pub async fn optional<'c>(
        self,
        on: impl Into<On<'c>>,
        during: &'static str,
    ) -> Result<Option<Row>, BackendError> {
        Ok(self.rows(on, during).await?.into_iter().next())
    }

    /// The row that there must be.
    ///
    /// # Errors
    /// A failure of the database while doing `during`; [`Corrupt`](rad_core::error::FailureKind::Corrupt) without any row.
    pub async fn one<'c>(self, on: impl Into<On<'c>>, during: &'static str) -> Result<Row, BackendError> {
        self.optional(on, during).await?.ok_or_else(|| failed(during)(sqlx::Error::RowNotFound))
    }

    /// Whether it finds any row.
    ///
    /// # Errors
    /// A failure of the database while doing `during`.
    pub async fn finds<'c>(self, on: impl Into<On<'c>>, during: &'static str) -> Result<bool, BackendError> {
        Ok(self.optional(on, during).await?.is_some())
    }

    async fn fetch(self, on: On<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match on {
            On::Database(Database::Sqlite(pool)) => {
                let found = self.for_sqlite()?.fetch_all(pool).await?;
                Ok(found.into_iter().map(Row::Sqlite).collect())
            }
            On::Transaction(Transaction::Sqlite(transaction)) => {
                let found = self.for_sqlite()?.fetch_all(&mut **transaction).await?;
                Ok(found.into_iter().map(Row::Sqlite).collect())
            }
            #[cfg(feature = "postgres")]
            On::Database(Database::Postgres(pool)) => {
                let found = self.for_postgres()?.fetch_all(pool).await?;
                Ok(found.into_iter().map(Row::Postgres).collect())
            }
            #[cfg(feature = "postgres")]
            On::Transaction(Transaction::Postgres(transaction)) => {
                let found = self.for_postgres()?.fetch_all(&mut **transaction).await?;
                Ok(found.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    fn for_sqlite(self) -> Result<Query<'static, Sqlite, SqliteArguments>, sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        for Value(value) in self.values {
            match value {
                Bound::Bytes(bytes) => arguments.add(bytes),
                Bound::Text(text) => arguments.add(text),
                Bound::Integer(number) => arguments.add(number),
                Bound::Flag(flag) => arguments.add(flag),
                Bound::Time(time) => arguments.add(time.map(|time| time.timestamp_micros())),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(self.text), arguments))
    }

    #[cfg(feature = "postgres")]
    fn for_postgres(
        self,
    ) -> Result<Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>, sqlx::Error> {
        let mut arguments = sqlx::postgres::PgArguments::default();
        for Value(value) in self.values {
            match value {
                Bound::Bytes(bytes) => arguments.add(bytes),
                // The one character that PostgreSQL's texts cannot have.
                Bound::Text(text) => arguments.add(text.map(|text| text.replace('\0', "\u{fffd}"))),
                Bound::Integer(number) => arguments.add(number),
                Bound::Flag(flag) => arguments.add(flag),
                Bound::Time(time) => arguments.add(time),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        let text = self.text.replace("instr(", "strpos(") + &self.locking;
        Ok(sqlx::query_with(AssertSqlSafe(text), arguments))
    }
}
