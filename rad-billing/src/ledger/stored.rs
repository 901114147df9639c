//! The rows of one account, for verifying it.

use rad_core::error::BackendError;
use rad_core::id::AccountId;

use super::rows::{EntryRow, HeadRow, LineRow};
use super::verifying::{Rows, StoredAccount};
use crate::database::failed;

/// An account in a transaction of a database.
pub(super) struct Stored<'a, C> {
    connection: &'a mut C,
    account: Vec<u8>,
}

impl<'a, C> Stored<'a, C> {
    pub(super) fn new(connection: &'a mut C, account: AccountId) -> Self {
        Self { connection, account: account.as_bytes().to_vec() }
    }
}

/// The databases read the same text; only their connections have no type in common.
macro_rules! stored_account {
    ($connection:ty) => {
        impl StoredAccount for Stored<'_, $connection> {
            async fn entries(&mut self, after: i64, limit: i64) -> Rows<EntryRow> {
                let rows =
                    sqlx::query("SELECT * FROM ledger_entries WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3")
                        .bind(&self.account)
                        .bind(after)
                        .bind(limit)
                        .fetch_all(&mut *self.connection)
                        .await
                        .map_err(failed("reading entries"))?;
                Ok(rows.iter().map(EntryRow::read).collect())
            }

            async fn lines(&mut self, after: i64, to: i64) -> Rows<LineRow> {
                let rows = sqlx::query(
                    "SELECT * FROM ledger_lines WHERE account = $1 AND entry > $2 AND entry <= $3 ORDER BY entry, place",
                )
                .bind(&self.account)
                .bind(after)
                .bind(to)
                .fetch_all(&mut *self.connection)
                .await
                .map_err(failed("reading revenue lines"))?;
                Ok(rows.iter().map(LineRow::read).collect())
            }

            async fn count_lines(&mut self) -> Result<i64, BackendError> {
                sqlx::query_scalar("SELECT count(*) FROM ledger_lines WHERE account = $1")
                    .bind(&self.account)
                    .fetch_one(&mut *self.connection)
                    .await
                    .map_err(failed("counting revenue lines"))
            }

            async fn head(&mut self) -> Result<Option<HeadRow>, BackendError> {
                sqlx::query_as("SELECT * FROM ledger_accounts WHERE account = $1")
                    .bind(&self.account)
                    .fetch_optional(&mut *self.connection)
                    .await
                    .map_err(failed("reading an account's head"))
            }

            async fn lots(&mut self) -> Result<Vec<(i64, i64, String)>, BackendError> {
                // As a number, as SQLite keeps it: others than 0 and 1 are found, too.
                sqlx::query_as(
                    "SELECT id, CAST(CAST(is_open AS INTEGER) AS BIGINT), lot FROM ledger_lots WHERE account = $1",
                )
                    .bind(&self.account)
                    .fetch_all(&mut *self.connection)
                    .await
                    .map_err(failed("reading lots"))
            }

            async fn holds(&mut self) -> Result<Vec<(i64, String)>, BackendError> {
                sqlx::query_as("SELECT id, hold FROM ledger_holds WHERE account = $1")
                    .bind(&self.account)
                    .fetch_all(&mut *self.connection)
                    .await
                    .map_err(failed("reading holds"))
            }

            async fn charges(&mut self) -> Result<Vec<(i64, String)>, BackendError> {
                sqlx::query_as("SELECT id, charge FROM ledger_charges WHERE account = $1")
                    .bind(&self.account)
                    .fetch_all(&mut *self.connection)
                    .await
                    .map_err(failed("reading charges"))
            }

            async fn charge_lots(&mut self) -> Result<Vec<(i64, i64)>, BackendError> {
                sqlx::query_as("SELECT lot, charge FROM ledger_charge_lots WHERE account = $1")
                    .bind(&self.account)
                    .fetch_all(&mut *self.connection)
                    .await
                    .map_err(failed("reading what charges took"))
            }
        }
    };
}

#[cfg(feature = "postgres")]
stored_account!(sqlx::PgConnection);
stored_account!(sqlx::SqliteConnection);
