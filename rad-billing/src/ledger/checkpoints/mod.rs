//! Checkpoints in both databases: the same SQL, which `sql` writes, over the rows in `rows`.

mod rows;
mod sql;

use std::collections::HashMap;

use async_trait::async_trait;
use rad_core::checkpoint::{Checkpoints, Head, HeadNow, Heads, SignedCheckpoint, SignedHead};
use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::LedgerError;
use rad_core::revenue::EntryId;
use rad_core::source::Digest;
use sqlx::QueryBuilder;

use self::rows::{CheckpointRow, HeadNowRow, HeadRow, SignedHeadRow};
use super::export::Snapshot;
use super::listing::Sql as _;
use super::sqlite::SqliteLedger;
use crate::database::{failed, is_taken};

/// The heads of all accounts in a transaction that sees one moment.
#[derive(Debug)]
pub(super) struct HeadsAt {
    snapshot: Snapshot,
    after: Option<AccountId>,
}

impl HeadsAt {
    const fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, after: None }
    }

    async fn rows(&mut self) -> Result<Vec<HeadNowRow>, sqlx::Error> {
        match &mut self.snapshot {
            Snapshot::Sqlite(transaction) => {
                let mut sql = QueryBuilder::<sqlx::Sqlite>::new("");
                sql::heads_now(&mut sql, self.after);
                sql.build_query_as().fetch_all(&mut **transaction).await
            }
            #[cfg(feature = "postgres")]
            Snapshot::Postgres(transaction) => {
                let mut sql = QueryBuilder::<sqlx::Postgres>::new("");
                sql::heads_now(&mut sql, self.after);
                sql.build_query_as().fetch_all(&mut **transaction).await
            }
        }
    }
}

#[async_trait]
impl Heads for HeadsAt {
    async fn next_page(&mut self) -> Result<Vec<HeadNow>, LedgerError> {
        let rows = self.rows().await.map_err(failed("reading heads"))?;
        let heads: Vec<HeadNow> = rows.iter().map(HeadNowRow::read).collect::<Result<_, _>>()?;
        self.after = heads.last().map(|now| now.head.account).or(self.after);
        Ok(heads)
    }
}

/// The hashes that were found, in the order asked for.
fn in_order(entries: &[EntryId], found: &[HeadRow]) -> Result<Vec<Option<Digest>>, BackendError> {
    let found: Vec<Head> = found.iter().map(HeadRow::read).collect::<Result<_, _>>()?;
    let hashes: HashMap<_, _> = found.iter().map(|head| ((head.account, head.seq), head.hash)).collect();
    Ok(entries.iter().map(|id| hashes.get(&(id.account, id.seq)).copied()).collect())
}

/// The databases take the same SQL; only their connections have no type in common.
macro_rules! checkpoints_in {
    ($ledger:ty, $database:ty) => {
        #[async_trait]
        impl Checkpoints for $ledger {
            async fn heads(&self) -> Result<Box<dyn Heads>, LedgerError> {
                Ok(Box::new(HeadsAt::new(self.snapshot("reading heads").await?)))
            }

            async fn hashes(&self, entries: &[EntryId]) -> Result<Vec<Option<Digest>>, LedgerError> {
                if entries.is_empty() {
                    return Ok(Vec::new());
                }
                let mut sql = QueryBuilder::<$database>::new("");
                sql::hashes(&mut sql, entries)?;
                let rows = sql.build_query_as().fetch_all(self.pool()).await;
                Ok(in_order(entries, &rows.map_err(failed("reading hashes"))?)?)
            }

            async fn keep(
                &self,
                checkpoint: &SignedCheckpoint,
                changed: &[Head],
            ) -> Result<bool, LedgerError> {
                let during = "keeping a checkpoint";
                let mut transaction = self.begin(during).await?;
                let mut sql = QueryBuilder::<$database>::new("");
                sql::insert(&mut sql, checkpoint)?;
                match sql.build().execute(&mut *transaction).await {
                    Ok(done) if done.rows_affected() == 1 => {}
                    Ok(_) => return Ok(false),
                    Err(error) if is_taken(&error) => return Ok(false),
                    Err(error) => return Err(failed(during)(error).into()),
                }
                for heads in changed.chunks(SignedHead::MOST as usize) {
                    let mut sql = QueryBuilder::<$database>::new("");
                    sql::insert_heads(&mut sql, checkpoint, heads)?;
                    sql.build().execute(&mut *transaction).await.map_err(failed(during))?;
                }
                transaction.commit().await.map_err(failed(during))?;
                Ok(true)
            }

            async fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, LedgerError> {
                let newest = "SELECT * FROM ledger_checkpoints ORDER BY number DESC LIMIT 1";
                let row =
                    sqlx::query_as::<$database, CheckpointRow>(newest).fetch_optional(self.pool()).await;
                let row = row.map_err(failed("reading the last checkpoint"))?;
                Ok(row.as_ref().map(CheckpointRow::read).transpose()?)
            }

            async fn checkpoints(
                &self,
                after: u64,
                limit: u32,
            ) -> Result<Vec<SignedCheckpoint>, LedgerError> {
                let mut sql =
                    QueryBuilder::<$database>::new("SELECT * FROM ledger_checkpoints WHERE number > ");
                sql.number(sql::capped(after)).text(" ORDER BY number LIMIT ").number(sql::at_most(limit));
                let rows = sql.build_query_as().fetch_all(self.pool()).await;
                let rows: Vec<CheckpointRow> = rows.map_err(failed("listing checkpoints"))?;
                Ok(rows.iter().map(CheckpointRow::read).collect::<Result<_, _>>()?)
            }

            async fn changes(
                &self,
                checkpoint: u64,
                after: Option<AccountId>,
                limit: u32,
            ) -> Result<Vec<Head>, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                sql::changes(&mut sql, checkpoint, after, limit);
                let rows = sql.build_query_as().fetch_all(self.pool()).await;
                let rows: Vec<HeadRow> = rows.map_err(failed("listing the heads of a checkpoint"))?;
                Ok(rows.iter().map(HeadRow::read).collect::<Result<_, _>>()?)
            }

            async fn heads_at(
                &self,
                checkpoint: u64,
                after: Option<AccountId>,
                limit: u32,
            ) -> Result<Vec<Head>, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                sql::heads_at(&mut sql, checkpoint, after, limit);
                let rows = sql.build_query_as().fetch_all(self.pool()).await;
                let rows: Vec<HeadRow> = rows.map_err(failed("listing the heads at a checkpoint"))?;
                Ok(rows.iter().map(HeadRow::read).collect::<Result<_, _>>()?)
            }

            async fn signed_heads(
                &self,
                after: Option<(AccountId, u64)>,
                to: Option<AccountId>,
                limit: u32,
            ) -> Result<Vec<SignedHead>, LedgerError> {
                let mut sql = QueryBuilder::<$database>::new("");
                sql::signed_heads(&mut sql, after, to, limit);
                let rows = sql.build_query_as().fetch_all(self.pool()).await;
                let rows: Vec<SignedHeadRow> = rows.map_err(failed("listing signed heads"))?;
                Ok(rows.iter().map(SignedHeadRow::read).collect::<Result<_, _>>()?)
            }
        }
    };
}

checkpoints_in!(SqliteLedger, sqlx::Sqlite);
#[cfg(feature = "postgres")]
checkpoints_in!(super::postgres::PostgresLedger, sqlx::Postgres);
