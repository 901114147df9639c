//! Posting, the same for every database: callers of one process wait in lanes, and whoever's turn it is posts for everybody in
//! the lane, so that a group of callers shares one commit.
//!
//! A group is posted in one of two ways. If the books of its accounts are still there from an earlier group, the engine applies
//! its entries to them, and one write appends everything, provided that every account still has the last entry its book
//! ends with. Else, and for whatever came out of that as refused or out of date, the accounts are locked and read, so
//! that no refusal rests on a book that another process has overtaken, and no key is posted twice.
//!
//! A post belongs to its lane from the moment it is queued, so a caller who goes away neither loses nor doubles it. There is
//! no task that must be kept alive: every caller brings one, and those whose posts went along with an earlier group find
//! their lane empty.

mod group;
mod lane;
mod shelf;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted};
use rad_core::revenue::{EntryKey, Needs};
use tokio::sync::{Semaphore, oneshot};

pub(super) use self::writes::{Gone, Took, Writes};

use self::lane::{Job, Lane};
use super::book::Book;

/// The most posts that wait or are under way in one process; further callers wait for room.
const ROOM: u32 = 4_096;

/// What became of a batch.
pub(super) type Outcome = Result<Vec<Posted>, LedgerError>;

/// What posting needs of a database.
pub(super) trait Store: fmt::Debug + Clone + Send + Sync + 'static {
    /// What is read in it stays so until it ends: nobody else posts to the accounts whose books were read. Dropped, it leaves
    /// nothing.
    type Transaction: Send;

    /// How many groups of a process can be under way at once.
    const LANES: usize;

    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, BackendError>> + Send;

    /// Reads the books of accounts, with what entries need of their past.
    fn books(
        transaction: &mut Self::Transaction,
        accounts: &BTreeSet<AccountId>,
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

    /// Writes in a transaction of its own, and commits.
    fn write_alone(&self, writes: Writes) -> impl Future<Output = Result<(), BackendError>> + Send;
}

/// Where the posts of one process wait.
#[derive(Debug)]
pub(super) struct Queue<S> {
    store: S,
    lanes: Vec<Arc<Lane>>,
    room: Arc<Semaphore>,
    is_draining: AtomicBool,
}

impl<S: Store> Queue<S> {
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            lanes: (0..S::LANES).map(|_| Arc::default()).collect(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
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
        let Some(lane) = posts.first().and_then(|post| self.lane(post)) else { return Ok(Vec::new()) };
        let (reply, outcome) = oneshot::channel();
        lane.push(Job::new(posts, reply, room));
        tokio::spawn(Arc::clone(lane).take_turn(self.store.clone()));
        outcome.await.map_err(|error| BackendError::unavailable("posting entries", error))?
    }

    /// Takes no more posts, and waits for those that were taken.
    pub(super) async fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        // Room is given in the order it was asked for: all of it means that nobody is left.
        let all = self.room.acquire_many(ROOM).await;
        self.room.close();
        drop(all);
    }

    /// The lane of a batch: that of its first account. The last byte of an account's id is random.
    fn lane(&self, post: &Post) -> Option<&Arc<Lane>> {
        let byte = usize::from(post.account.as_bytes()[15]);
        self.lanes.get(byte % S::LANES)
    }
}

fn shut_down() -> BackendError {
    BackendError::unavailable("posting entries", "this ledger is shutting down and takes no more posts")
}
