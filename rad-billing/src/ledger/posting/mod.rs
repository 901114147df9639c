//! Posting, the same for every database: a group of callers shares one commit.
//!
//! A few groups are under way at once, each of accounts of its own; who comes meanwhile waits on the board and goes along with
//! the next group. So a post to an idle account begins at once, and those to a busy one are posted together.
//!
//! A group is posted in one of two ways. If the books of its accounts were kept from earlier groups, the engine applies its
//! entries to them, and one write appends everything, provided that every account still has the last entry its book ends
//! with. Else, and for whatever came out of that as refused or out of date, the accounts are locked and read, or their kept
//! books brought up to date, so that no refusal rests on a book that another process has overtaken, and no key is posted
//! twice.
//!
//! A post is on the board until it is settled, so a caller who goes away neither loses nor doubles it.

mod attempt;
mod board;
mod catching_up;
mod connections;
mod group;
mod measuring;
mod shelf;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted};
use rad_core::revenue::{EntryKey, Needs};
use tokio::sync::{Semaphore, oneshot};
use tracing::Instrument as _;

pub(super) use self::connections::{Connections, Lease};
pub(super) use self::writes::{Gone, Took, Writes};

use self::board::{Board, Job, Worker};
use super::book::Book;
use super::rows::{EntryRow, HeadRow};
use super::totals::{Fold, Folding};

/// The most posts that wait or are under way in one process; further callers wait for room.
const ROOM: u32 = 4_096;

/// What became of a batch.
pub(super) type Outcome = Result<Vec<Posted>, LedgerError>;

/// What posting needs of a database.
pub(super) trait Store: Fold + fmt::Debug {
    /// What is read in it stays so until it ends: nobody else posts to the accounts whose books were read. Dropped, it leaves
    /// nothing.
    type Transaction: Send;

    /// The database's name, for metrics.
    const NAME: &'static str;

    /// How many groups of a process can be under way at once.
    const GROUPS: usize;

    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, BackendError>> + Send;

    /// Reads the heads of accounts, of those that have one, and keeps everybody else from posting to them.
    fn heads(
        transaction: &mut Self::Transaction,
        accounts: &BTreeSet<AccountId>,
    ) -> impl Future<Output = Result<Vec<HeadRow>, BackendError>> + Send;

    /// The entries of accounts after those with these numbers, in order.
    fn entries_after(
        transaction: &mut Self::Transaction,
        places: &[(AccountId, i64)],
    ) -> impl Future<Output = Result<Vec<EntryRow>, BackendError>> + Send;

    /// Reads the books of accounts, given their heads, with what entries need of their past.
    fn books(
        transaction: &mut Self::Transaction,
        heads: &BTreeMap<AccountId, HeadRow>,
        needs: &[(AccountId, Needs)],
    ) -> impl Future<Output = Result<BTreeMap<AccountId, Book>, BackendError>> + Send;

    /// The entries with these keys, of those that are there.
    fn by_keys(
        transaction: &mut Self::Transaction,
        keys: &[(AccountId, EntryKey)],
    ) -> impl Future<Output = Result<Vec<Posted>, BackendError>> + Send;

    /// Writes, and commits.
    fn write(
        transaction: Self::Transaction,
        writes: Writes,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Ends a transaction in which nothing was written.
    fn end(transaction: Self::Transaction) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Writes in a transaction of its own, and commits.
    fn write_alone(&self, writes: Writes) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Closes the connections that posts went through.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Where the posts of one process wait.
#[derive(Debug)]
pub(super) struct Queue<S> {
    store: S,
    board: Arc<Mutex<Board>>,
    room: Arc<Semaphore>,
    folding: Folding,
    is_draining: AtomicBool,
}

impl<S: Store> Queue<S> {
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            board: Arc::default(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            folding: Folding::default(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// Posts a batch, with others that wait.
    pub(super) async fn post(&self, posts: Vec<Post>) -> Outcome {
        if self.is_draining.load(Ordering::Acquire) {
            return Err(shut_down().into());
        }
        let size = u32::try_from(posts.len()).unwrap_or(ROOM).min(ROOM);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| shut_down())?;
        measuring::waiting(S::NAME, ROOM as usize - self.room.available_permits());
        let (reply, outcome) = oneshot::channel();
        if let Some(worker) = Board::put(&self.board, Job { posts, reply, _room: room }, S::GROUPS) {
            tokio::spawn(work(self.store.clone(), self.folding.clone(), worker));
        }
        outcome.await.map_err(|error| BackendError::unavailable("posting entries", error))?
    }

    /// Folds deltas of revenue into sums of days: how many.
    pub(super) async fn fold(&self) -> Result<u64, BackendError> {
        self.store.fold().await
    }

    /// Takes no more posts, waits for those that were taken, folds what they appended, and closes what they were posted through.
    pub(super) async fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        // Room is given in the order it was asked for: all of it means that nobody is left.
        let all = self.room.acquire_many(ROOM).await;
        self.room.close();
        drop(all);
        self.folding.finish(&self.store).await;
        self.store.close().await;
    }
}

/// Posts group after group, until nobody waits whose accounts are not busy.
async fn work<S: Store>(store: S, folding: Folding, mut worker: Worker) {
    loop {
        // Callers who can go on now, those of the last group among them, put their posts on the board first: one group of many
        // costs less than two.
        tokio::task::yield_now().await;
        let Some(mut round) = worker.next_round() else { break };
        let jobs = std::mem::take(&mut round.jobs);
        let batches: Vec<&[Post]> = jobs.iter().map(|job| job.posts.as_slice()).collect();
        let posts: usize = batches.iter().map(|batch| batch.len()).sum();
        let span = tracing::debug_span!("ledger.group", backend = S::NAME, batches = batches.len(), posts);
        let begun = Instant::now();
        let kept = std::mem::take(&mut round.books);
        let posted = attempt::post_all(&store, kept, round.trusts_books, &batches).instrument(span).await;
        (round.books, round.met_other_writer) = (posted.books, posted.met_other_writer);
        drop(round);
        measuring::group(S::NAME, begun, &posted.outcomes);
        folding.note(posted.outcomes.iter().flatten().flatten(), &store);
        for (job, outcome) in jobs.into_iter().zip(posted.outcomes) {
            // A caller who went away does not wait for an answer.
            let _ = job.reply.send(outcome);
        }
    }
}

fn shut_down() -> BackendError {
    BackendError::unavailable("posting entries", "this ledger is shutting down and takes no more posts")
}
