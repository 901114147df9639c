//! The rows of accounts, for verifying them.

use rad_core::error::BackendError;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Row as _, Sqlite, Type};

use super::super::micros::Micros;
use super::super::verifying::{Cells, ENTRY, HEAD, LINE, PAGE, Place, STATE, Stored, StoredRow, TOOK};
use crate::database::failed;

impl Stored for SqliteConnection {
    type Row = SqliteRow;

    async fn entries(&mut self, after: &Place, to: &[u8]) -> Result<Vec<SqliteRow>, BackendError> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {ENTRY} FROM ledger_entries WHERE (account, seq) > (?, ?) AND account < ?
             ORDER BY account, seq LIMIT ?"
        )))
        .bind(&after.account)
        .bind(after.seq)
        .bind(to)
        .bind(PAGE as i64)
        .fetch_all(self)
        .await
        .map_err(failed("reading entries"))
    }

    async fn lines(&mut self, after: &Place, to: &Place) -> Result<Vec<SqliteRow>, BackendError> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {LINE} FROM ledger_lines WHERE (account, entry) > (?, ?) AND (account, entry) <= (?, ?)
             ORDER BY account, entry, place"
        )))
        .bind(&after.account)
        .bind(after.seq)
        .bind(&to.account)
        .bind(to.seq)
        .fetch_all(self)
        .await
        .map_err(failed("reading revenue lines"))
    }

    async fn heads(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<SqliteRow>, BackendError> {
        rows(self, from, to, format!("{HEAD} FROM ledger_accounts"), "account").await
    }

    async fn state(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<SqliteRow>, BackendError> {
        rows(self, from, to, format!("{STATE} FROM ledger_state"), "account, kind, id").await
    }

    async fn took(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<SqliteRow>, BackendError> {
        rows(self, from, to, format!("{TOOK} FROM ledger_charge_lots"), "account, lot, charge").await
    }
}

/// Columns of a table for a range of accounts.
async fn rows(
    connection: &mut SqliteConnection,
    from: &[u8],
    to: &[u8],
    of: String,
    order: &str,
) -> Result<Vec<SqliteRow>, BackendError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {of} WHERE account >= ? AND account < ? ORDER BY {order}")))
        .bind(from)
        .bind(to)
        .fetch_all(connection)
        .await
        .map_err(failed("reading accounts"))
}

/// The columns of a row, and which is next.
pub(in super::super) struct SqliteCells<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl StoredRow for SqliteRow {
    type Cells<'r> = SqliteCells<'r>;

    fn cells(&self) -> SqliteCells<'_> {
        SqliteCells { row: self, next: 0 }
    }
}

impl<'r> SqliteCells<'r> {
    fn take<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<T, BackendError> {
        let cell = self.row.try_get(self.next).map_err(failed("reading a row"))?;
        self.next += 1;
        Ok(cell)
    }
}

impl<'r> Cells<'r> for SqliteCells<'r> {
    fn bytes_or_null(&mut self, _name: &'static str) -> Result<Option<&'r [u8]>, BackendError> {
        self.take()
    }

    fn number(&mut self, _name: &'static str) -> Result<i64, BackendError> {
        self.take()
    }

    fn small_number(&mut self, _name: &'static str) -> Result<i16, BackendError> {
        self.take()
    }

    fn time(&mut self, _name: &'static str) -> Result<Micros, BackendError> {
        self.take()
    }
}
