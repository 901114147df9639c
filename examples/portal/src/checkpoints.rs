//! Checkpoints of the ledger: signed on a schedule, and once more when the portal closes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rad_billing::{PostgresLedger, SqliteLedger};
use rad_core::checkpoint::{CheckpointError, Checkpoints, CheckpointsExt, PublicKey, SigningKey};
use rad_core::clock::{Clock, SystemClock};
use rad_core::ledger::Ledger;
use rad_sql::Database;

use crate::schedule::repeat;

/// The ledger of a database.
#[derive(Debug, Clone)]
pub(crate) enum Books {
    Sqlite(Arc<SqliteLedger>),
    Postgres(Arc<PostgresLedger>),
}

impl Books {
    /// The ledger of a database that has its tables; `None` for a kind of database that has none.
    pub(crate) fn of(database: &Database) -> Option<Self> {
        match database {
            Database::Sqlite(pool) => Some(Self::Sqlite(Arc::new(SqliteLedger::new(pool.clone())))),
            Database::Postgres(pool) => Some(Self::Postgres(Arc::new(PostgresLedger::new(pool.clone())))),
            _ => None,
        }
    }

    /// Where the platform posts.
    pub(crate) fn ledger(&self) -> Arc<dyn Ledger> {
        match self {
            Self::Sqlite(ledger) => ledger.clone(),
            Self::Postgres(ledger) => ledger.clone(),
        }
    }

    /// Where its checkpoints are.
    fn checkpoints(&self) -> &dyn Checkpoints {
        match self {
            Self::Sqlite(ledger) => &**ledger,
            Self::Postgres(ledger) => &**ledger,
        }
    }

    /// Takes no more posts, and settles those it took.
    pub(crate) async fn drain(&self) {
        match self {
            Self::Sqlite(ledger) => ledger.drain().await,
            Self::Postgres(ledger) => ledger.drain().await,
        }
    }
}

/// Signs what the ledger is.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    books: Books,
    key: SigningKey,
    every: Duration,
}

impl Checkpointer {
    /// Signs with `key`, not more often than `every`.
    pub(crate) const fn new(books: Books, key: SigningKey, every: Duration) -> Self {
        Self { books, key, every }
    }

    /// Whom the checkpoints are signed by.
    pub(crate) fn key(&self) -> PublicKey {
        self.key.public()
    }

    /// Signs now, and on schedule while something is posted, until `until`. Gives itself back for the last one.
    pub(crate) async fn run(self, until: impl Future<Output = ()>) -> Self {
        repeat(self.every, until, || self.sign()).await;
        self
    }

    /// Lets the ledger take no more posts, and signs what it is then.
    pub(crate) async fn finish(self) {
        self.books.drain().await;
        self.sign().await;
    }

    /// Signs what was posted since the last checkpoint. What keeps it from that is for the operator to see.
    async fn sign(&self) {
        match self.books.checkpoints().checkpoint_changes(&self.key, SystemClock.now()).await {
            Ok(None) => {}
            Ok(Some(signed)) => {
                let made = signed.checkpoint;
                let (number, accounts, entries) = (made.number, made.accounts, made.entries);
                tracing::info!(number, accounts, entries, "the ledger has a new checkpoint");
            }
            Err(error @ (CheckpointError::Altered { .. } | CheckpointError::HeadsMissing { .. })) => {
                tracing::error!("{error}: run revenue-audit verify with --checkpoint-key {}", self.key());
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "no checkpoint of the ledger was made; the next one covers the same");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rad_core::checkpoint::Checkpoints as _;
    use rad_core::id::AccountId;
    use rad_core::ledger::{LedgerExt as _, Post};
    use rad_core::money::Amount;
    use rad_core::revenue::{Body, Bucket, EntryKey, Grant, LotSource};

    use super::*;

    fn award(account: AccountId, number: u8) -> Post {
        let body = Body::Grant(Grant {
            source: LotSource::Signup,
            bucket: Bucket::Awarded,
            credits: "30".parse().unwrap(),
            cost: Amount::ZERO,
            paid: None,
            expires: None,
            reference: None,
        });
        Post {
            account,
            key: EntryKey::derive("test", &[&[number]]),
            at: SystemClock.now(),
            actor: None,
            body,
        }
    }

    #[tokio::test]
    async fn it_signs_at_the_start_and_the_rest_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let pool = rad_billing::sqlite::open(&dir.path().join("portal.db")).await.unwrap();
        let ledger = Arc::new(SqliteLedger::new(pool));
        let account = AccountId::new();
        ledger.post(award(account, 1)).await.unwrap();
        let key = SigningKey::from_hex(&"5e".repeat(32).into()).unwrap();
        let checkpointer =
            Checkpointer::new(Books::Sqlite(Arc::clone(&ledger)), key, Duration::from_secs(3_600));
        let public = checkpointer.key();
        let (close, closing) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(checkpointer.run(async { drop(closing.await) }));
        let first = loop {
            match ledger.last_checkpoint().await.unwrap() {
                Some(first) => break first,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!((first.checkpoint.entries, first.key), (1, public));
        ledger.post(award(account, 2)).await.unwrap();
        close.send(()).unwrap();
        let checkpointer = running.await.unwrap();
        checkpointer.sign().await;
        checkpointer.finish().await;
        assert!(ledger.post(award(account, 3)).await.is_err(), "it takes no more posts");
        let last = ledger.last_checkpoint().await.unwrap().unwrap().checkpoint;
        assert_eq!((last.number, last.entries), (2, 2), "what is signed already is not signed again");
    }
}
