//! The rows of accounts, for verifying them.

use rad_core::error::BackendError;
use sqlx::Row as _;

use super::rows::{EntryRow, HeadRow, LineRow, StateRow};
use super::verifying::{PAGE, Place, Stored, StoredEntry};
use crate::database::failed;

/// The databases read the same text; only their connections have no type in common.
macro_rules! stored {
    ($connection:ty) => {
        impl Stored for $connection {
            async fn entries(&mut self, after: &Place, to: &[u8]) -> Result<Vec<StoredEntry>, BackendError> {
                let during = "reading entries";
                let rows = sqlx::query(
                    "SELECT * FROM ledger_entries WHERE (account, seq) > ($1, $2) AND account < $3
                     ORDER BY account, seq LIMIT $4",
                )
                .bind(&after.account)
                .bind(after.seq)
                .bind(to)
                .bind(PAGE as i64)
                .fetch_all(self)
                .await
                .map_err(failed(during))?;
                let mut entries = Vec::with_capacity(rows.len());
                for row in &rows {
                    let account = row.try_get("account").map_err(failed(during))?;
                    let seq = row.try_get("seq").map_err(failed(during))?;
                    entries.push(StoredEntry { place: Place { account, seq }, row: EntryRow::read(row) });
                }
                Ok(entries)
            }

            async fn lines(
                &mut self,
                after: &Place,
                to: &Place,
            ) -> Result<Vec<Result<LineRow, BackendError>>, BackendError> {
                let rows = sqlx::query(
                    "SELECT * FROM ledger_lines WHERE (account, entry) > ($1, $2) AND (account, entry) <= ($3, $4)
                     ORDER BY account, entry, place",
                )
                .bind(&after.account)
                .bind(after.seq)
                .bind(&to.account)
                .bind(to.seq)
                .fetch_all(self)
                .await
                .map_err(failed("reading revenue lines"))?;
                Ok(rows.iter().map(LineRow::read).collect())
            }

            async fn heads(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<HeadRow>, BackendError> {
                sqlx::query_as("SELECT * FROM ledger_accounts WHERE account >= $1 AND account < $2")
                    .bind(from)
                    .bind(to)
                    .fetch_all(self)
                    .await
                    .map_err(failed("reading heads"))
            }

            async fn state(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<StateRow>, BackendError> {
                sqlx::query_as("SELECT * FROM ledger_state WHERE account >= $1 AND account < $2")
                    .bind(from)
                    .bind(to)
                    .fetch_all(self)
                    .await
                    .map_err(failed("reading states"))
            }

            async fn charge_lots(
                &mut self,
                from: &[u8],
                to: &[u8],
            ) -> Result<Vec<(Vec<u8>, i64, i64)>, BackendError> {
                let sql = "SELECT account, lot, charge FROM ledger_charge_lots WHERE account >= $1 AND account < $2";
                sqlx::query_as(sql)
                    .bind(from)
                    .bind(to)
                    .fetch_all(self)
                    .await
                    .map_err(failed("reading what charges took"))
            }
        }
    };
}

#[cfg(feature = "postgres")]
stored!(sqlx::PgConnection);
stored!(sqlx::SqliteConnection);
