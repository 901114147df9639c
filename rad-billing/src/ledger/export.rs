//! All entries of a ledger in account order, as one moment has them.

use rad_core::error::BackendError;
use rad_core::ledger::Posted;
use sqlx::{FromRow, Sqlite, Transaction};

use super::rows::EntryRow;
use crate::database::failed;

/// How many entries are read at a time.
const PAGE: i64 = 1_000;

/// All entries of a ledger as they were when it was begun: accounts by ascending id, the entries of each from its first on.
///
/// It is a transaction for reading, and holds one page in memory. What is posted meanwhile is not seen and not kept from being
/// posted; a database keeps what it would tidy up until the export is dropped.
#[derive(Debug)]
pub struct Export {
    snapshot: Snapshot,
    entries: u64,
    /// The account and the number of the last entry that was read.
    last: (Vec<u8>, i64),
    with_effects: bool,
}

/// A transaction that sees one moment.
#[derive(Debug)]
pub(super) enum Snapshot {
    Sqlite(Transaction<'static, Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Transaction<'static, sqlx::Postgres>),
}

#[derive(FromRow)]
struct Count {
    entries: i64,
}

impl Export {
    pub(super) async fn begin(mut snapshot: Snapshot) -> Result<Self, BackendError> {
        // The number of the last entry is how many there are; counting them would read them all.
        let sql = "SELECT CAST(coalesce(sum(seq), 0) AS BIGINT) AS entries FROM ledger_accounts";
        let count: Result<Count, _> = match &mut snapshot {
            Snapshot::Sqlite(transaction) => sqlx::query_as(sql).fetch_one(&mut **transaction).await,
            #[cfg(feature = "postgres")]
            Snapshot::Postgres(transaction) => sqlx::query_as(sql).fetch_one(&mut **transaction).await,
        };
        let entries = count.map_err(failed("counting entries"))?.entries.unsigned_abs();
        Ok(Self { snapshot, entries, last: (Vec::new(), 0), with_effects: true })
    }

    /// Leaves every effect empty and unread: for replays, which compute them.
    #[must_use]
    pub fn without_effects(mut self) -> Self {
        self.with_effects = false;
        self
    }

    /// How many entries there are, by the heads of the accounts.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The next entries; none after the last.
    ///
    /// # Errors
    /// A failure of the database; [`Corrupt`](rad_core::error::FailureKind::Corrupt), naming account and number, where an
    /// entry cannot be read.
    pub async fn next_page(&mut self) -> Result<Vec<Posted>, BackendError> {
        let (account, seq) = &self.last;
        let rows: Result<Vec<EntryRow>, _> = match &mut self.snapshot {
            Snapshot::Sqlite(transaction) => sqlx::query_as(
                "SELECT * FROM ledger_entries WHERE (account, seq) > (?, ?) ORDER BY account, seq LIMIT ?",
            )
            .bind(account)
            .bind(seq)
            .bind(PAGE)
            .fetch_all(&mut **transaction)
            .await,
            #[cfg(feature = "postgres")]
            Snapshot::Postgres(transaction) => sqlx::query_as(
                "SELECT * FROM ledger_entries WHERE (account, seq) > ($1, $2) ORDER BY account, seq LIMIT $3",
            )
            .bind(account)
            .bind(seq)
            .bind(PAGE)
            .fetch_all(&mut **transaction)
            .await,
        };
        let rows = rows.map_err(failed("reading entries"))?;
        if let Some(last) = rows.last() {
            self.last = (last.account.clone(), last.seq);
        }
        rows.iter().map(|row| self.posted(row)).collect()
    }

    fn posted(&self, row: &EntryRow) -> Result<Posted, BackendError> {
        let posted = if self.with_effects { row.posted() } else { row.posted_without_effect() };
        posted.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            BackendError::corrupt("reading an entry", format!("{}: {cause}", row.place()))
        })
    }
}
