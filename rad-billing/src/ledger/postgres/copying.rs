//! The rows of accounts, for verifying them: copied out in PostgreSQL's binary form, which costs the server a third of what it
//! costs to answer a query, and nothing to read here.
//!
//! The form is that of `COPY` in PostgreSQL's manual: a header before the first row; a row is the number of its columns, and each
//! column's length (-1 for none) and bytes, numbers most significant byte first; a last row of -1 columns.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use rad_core::error::BackendError;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;

use super::super::micros::Micros;
use super::super::verifying::{
    Cells, ENTRY, HEAD, LINE, PAGE, Place, STATE, Stored, StoredRow, TOOK, unreadable,
};
use crate::database::failed;

/// The indexes have the order that rows are wanted in, whatever the server knows of its tables; and there is one processor for
/// every range that is verified.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
    SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0";

/// A transaction that sees the database as it is now, whatever others commit meanwhile.
pub(super) struct Moment {
    connection: PoolConnection<Postgres>,
    is_over: bool,
}

impl Moment {
    pub(super) async fn begin(pool: &PgPool) -> Result<Self, BackendError> {
        let during = "beginning to verify";
        let connection = pool.acquire().await.map_err(failed(during))?;
        let mut moment = Self { connection, is_over: false };
        sqlx::raw_sql(BEGIN).execute(&mut *moment.connection).await.map_err(failed(during))?;
        Ok(moment)
    }

    pub(super) async fn end(mut self) -> Result<(), BackendError> {
        let ended = sqlx::raw_sql("ROLLBACK").execute(&mut *self.connection).await;
        ended.map_err(failed("ending to verify"))?;
        self.is_over = true;
        Ok(())
    }

    async fn rows(&mut self, query: &str) -> Result<Vec<CopiedRow>, BackendError> {
        let mut rows = Vec::new();
        self.each_row(query, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Gives every row of a query to `take`, one by one.
    pub(super) async fn each_row(
        &mut self,
        query: &str,
        mut take: impl FnMut(CopiedRow) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let during = "copying rows";
        let copy = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let mut messages = self.connection.copy_out_raw(&copy).await.map_err(failed(during))?;
        let mut header = HEADER;
        // Every message is one row, the first one with the header before it.
        while let Some(mut row) = messages.try_next().await.map_err(failed(during))? {
            if header > 0 {
                if row.len() < header {
                    return Err(BackendError::corrupt(during, "the header is too short"));
                }
                row = row.slice(std::mem::take(&mut header)..);
            }
            if !row.is_empty() && !row.starts_with(&END) {
                take(CopiedRow(row))?;
            }
        }
        Ok(())
    }

    /// Columns of a table for a range of accounts.
    async fn rows_of(
        &mut self,
        from: &[u8],
        to: &[u8],
        of: String,
        order: &str,
    ) -> Result<Vec<CopiedRow>, BackendError> {
        let (from, to) = (literal(from), literal(to));
        self.rows(&format!("SELECT {of} WHERE account >= {from} AND account < {to} ORDER BY {order}")).await
    }
}

impl Drop for Moment {
    /// What a `COPY` that was given up still sends must not be taken for the answer to somebody else's statement.
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

/// The bytes of the header: a signature of 11, flags, and the length of an extension, which there is none of.
const HEADER: usize = 19;

/// The number of columns of the last row, which is none.
const END: [u8; 2] = (-1_i16).to_be_bytes();

impl Stored for Moment {
    type Row = CopiedRow;

    async fn entries(&mut self, after: &Place, to: &[u8]) -> Result<Vec<CopiedRow>, BackendError> {
        let to = literal(to);
        let after = place(after);
        self.rows(&format!(
            "SELECT {ENTRY} FROM ledger_entries WHERE (account, seq) > {after} AND account < {to}
             ORDER BY account, seq LIMIT {PAGE}"
        ))
        .await
    }

    async fn lines(&mut self, after: &Place, to: &Place) -> Result<Vec<CopiedRow>, BackendError> {
        let (after, to) = (place(after), place(to));
        self.rows(&format!(
            "SELECT {LINE} FROM ledger_lines WHERE (account, entry) > {after} AND (account, entry) <= {to}
             ORDER BY account, entry, place"
        ))
        .await
    }

    async fn heads(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<CopiedRow>, BackendError> {
        self.rows_of(from, to, format!("{HEAD} FROM ledger_accounts"), "account").await
    }

    async fn state(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<CopiedRow>, BackendError> {
        self.rows_of(from, to, format!("{STATE} FROM ledger_state"), "account, kind, id").await
    }

    async fn took(&mut self, from: &[u8], to: &[u8]) -> Result<Vec<CopiedRow>, BackendError> {
        self.rows_of(from, to, format!("{TOOK} FROM ledger_charge_lots"), "account, lot, charge").await
    }
}

/// Bytes as SQL, for a `COPY` takes no parameters.
fn literal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("decode('{digits}', 'hex')")
}

fn place(Place { account, seq }: &Place) -> String {
    // In quotes, for the lowest number is none without its sign.
    format!("({}, '{seq}'::bigint)", literal(account))
}

/// A row of a `COPY`.
#[derive(Debug)]
pub(in super::super) struct CopiedRow(Bytes);

impl StoredRow for CopiedRow {
    type Cells<'r> = CopiedCells<'r>;

    fn cells(&self) -> CopiedCells<'_> {
        CopiedCells { rest: self.0.get(END.len()..).unwrap_or_default() }
    }
}

/// What is left of a row.
pub(in super::super) struct CopiedCells<'r> {
    rest: &'r [u8],
}

impl CopiedCells<'_> {
    /// A number of so many bytes.
    #[inline]
    fn whole<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], BackendError> {
        self.bytes(name)?.try_into().map_err(|_| unreadable(name, "has another length"))
    }
}

impl<'r> Cells<'r> for CopiedCells<'r> {
    #[inline]
    fn bytes_or_null(&mut self, name: &'static str) -> Result<Option<&'r [u8]>, BackendError> {
        let short = || unreadable(name, "ends too soon");
        let (length, rest) = self.rest.split_first_chunk().ok_or_else(short)?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.rest = rest;
            return Ok(None);
        };
        let (cell, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        self.rest = rest;
        Ok(Some(cell))
    }

    #[inline]
    fn number(&mut self, name: &'static str) -> Result<i64, BackendError> {
        self.whole(name).map(i64::from_be_bytes)
    }

    fn small_number(&mut self, name: &'static str) -> Result<i16, BackendError> {
        self.whole(name).map(i16::from_be_bytes)
    }

    #[inline]
    fn time(&mut self, name: &'static str) -> Result<Micros, BackendError> {
        Micros::from_postgres(self.number(name)?).ok_or_else(|| unreadable(name, "is without end"))
    }
}
