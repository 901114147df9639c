//! A lane: posts that are made one group after the other, so that posts to one account do not stand in each other's way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use rad_core::error::{BackendError, FailureKind};
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post};
use rad_core::revenue::{AccountState, Needs};
use tokio::sync::{Mutex, OwnedSemaphorePermit, oneshot};
use tracing::Instrument as _;

use super::group::Group;
use super::shelf::Shelf;
use super::{Outcome, Store};
use crate::database::is_conflict;

/// The most posts of a group, where no single batch is larger.
const GROUP: usize = 256;

/// How often a group is tried again that met another writer, and the longest pause before the first of them. Pauses
/// double.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(4);

#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: SyncMutex<VecDeque<Job>>,
    /// Whoever has the books has the turn.
    turn: Mutex<Shelf>,
}

/// A batch, and the caller who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    posts: Vec<Post>,
    reply: oneshot::Sender<Outcome>,
    _room: OwnedSemaphorePermit,
}

impl Job {
    pub(super) const fn new(
        posts: Vec<Post>,
        reply: oneshot::Sender<Outcome>,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { posts, reply, _room: room }
    }
}

impl Lane {
    pub(super) fn push(&self, job: Job) {
        self.waiting().push_back(job);
    }

    /// Posts everybody who waits, up to a group, when it is this caller's turn.
    pub(super) async fn take_turn(self: Arc<Self>, store: impl Store) {
        let mut shelf = self.turn.lock().await;
        let jobs = self.next_group();
        if jobs.is_empty() {
            return;
        }
        let batches: Vec<&[Post]> = jobs.iter().map(|job| job.posts.as_slice()).collect();
        let posts: usize = batches.iter().map(|batch| batch.len()).sum();
        let span = tracing::debug_span!("ledger.group", batches = batches.len(), posts);
        let outcomes = post_all(&store, &mut shelf, &batches).instrument(span).await;
        drop(shelf);
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            // A caller who went away does not wait for an answer.
            let _ = job.reply.send(outcome);
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Job>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_group(&self) -> Vec<Job> {
        let mut waiting = self.waiting();
        let (mut jobs, mut size): (Vec<Job>, usize) = (Vec::new(), 0);
        while let Some(job) = waiting.front() {
            size += job.posts.len();
            if size > GROUP && !jobs.is_empty() {
                break;
            }
            jobs.extend(waiting.pop_front());
        }
        jobs
    }
}

/// Posts batches: first those whose books are on the shelf, then, in the long way, what that did not settle.
async fn post_all(store: &impl Store, shelf: &mut Shelf, batches: &[&[Post]]) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = match shelf.begin_group() {
        true => from_shelf(store, shelf, batches).await,
        false => batches.iter().map(|_| None).collect(),
    };
    let open: Vec<usize> = (0..batches.len()).filter(|place| outcomes[*place].is_none()).collect();
    if !open.is_empty() {
        let rest: Vec<&[Post]> = open.iter().map(|place| batches[*place]).collect();
        for (place, outcome) in open.into_iter().zip(post_locked(store, shelf, &rest).await) {
            outcomes[place] = Some(outcome);
        }
    }
    outcomes.into_iter().flatten().collect()
}

/// Posts the batches whose books are on the shelf, in one write. What is refused or fails because a book is out of date has
/// no outcome yet.
async fn from_shelf(store: &impl Store, shelf: &mut Shelf, batches: &[&[Post]]) -> Vec<Option<Outcome>> {
    let is_ready = |batch: &[Post]| {
        batch.iter().all(|post| {
            shelf.get(&post.account).is_some_and(|book| book.has(AccountState::needs(&post.body)))
        })
    };
    let ready: Vec<bool> = batches.iter().map(|batch| is_ready(batch)).collect();
    let batches = || batches.iter().zip(&ready).map(|(batch, ready)| if *ready { *batch } else { &[] });
    let mut books = BTreeMap::new();
    for post in batches().flatten() {
        if let Some(book) = shelf.take(&post.account) {
            books.insert(post.account, book);
        }
    }
    let unsettled = || batches().map(|_| None).collect();
    if books.is_empty() {
        return unsettled();
    }
    let mut group = Group::new(books, Vec::new());
    let mut outcomes = Vec::new();
    for batch in batches() {
        outcomes.push(match batch {
            [] => None,
            batch => match group.post(batch) {
                // The books are not sound: what was applied to them so far is not either.
                Err(LedgerError::Backend(_)) => return unsettled(),
                outcome => outcome.ok().map(Ok),
            },
        });
    }
    match write_from_shelf(store, &mut group).await {
        Ok(()) => {
            shelf.put(group.into_books());
            outcomes
        }
        Err(error) if is_conflict(&error) => {
            tracing::debug!("a book was out of date: reading it again");
            shelf.mistrust();
            unsettled()
        }
        Err(error) if error.kind() == FailureKind::Unavailable => {
            let error = Arc::new(error);
            let failed = |outcome: Option<Outcome>| outcome.map(|_| Err(same(&error).into()));
            outcomes.into_iter().map(failed).collect()
        }
        // Perhaps one batch's alone.
        Err(_) => unsettled(),
    }
}

async fn write_from_shelf(store: &impl Store, group: &mut Group) -> Result<(), BackendError> {
    match group.writes()? {
        Some(writes) => store.write_alone(writes).await,
        None => Ok(()),
    }
}

/// Posts batches together; where that fails for a reason that may be one batch's alone, one by one.
async fn post_locked(store: &impl Store, shelf: &mut Shelf, batches: &[&[Post]]) -> Vec<Outcome> {
    match post_together(store, shelf, batches).await {
        Ok(outcomes) => outcomes,
        Err(error) if batches.len() > 1 && error.kind() != FailureKind::Unavailable => {
            let mut outcomes = Vec::with_capacity(batches.len());
            for batch in batches {
                outcomes.extend(match post_together(store, shelf, &[batch]).await {
                    Ok(outcomes) => outcomes,
                    Err(error) => vec![Err(error.into())],
                });
            }
            outcomes
        }
        Err(error) => {
            let error = Arc::new(error);
            batches.iter().map(|_| Err(same(&error).into())).collect()
        }
    }
}

/// Posts batches in one transaction, again and again while other writers get in between.
async fn post_together(
    store: &impl Store,
    shelf: &mut Shelf,
    batches: &[&[Post]],
) -> Result<Vec<Outcome>, BackendError> {
    let mut tries = 0;
    loop {
        match try_group(store, shelf, batches).await {
            Err(error) if is_conflict(&error) && tries < TRIES => {
                tries += 1;
                tracing::debug!(tries, "another writer was in between: posting again");
                tokio::time::sleep(pause(tries)).await;
            }
            result => return result,
        }
    }
}

async fn try_group<S: Store>(
    store: &S,
    shelf: &mut Shelf,
    batches: &[&[Post]],
) -> Result<Vec<Outcome>, BackendError> {
    let posts = || batches.iter().copied().flatten();
    let accounts: BTreeSet<AccountId> = posts().map(|post| post.account).collect();
    let needs = posts().map(|post| (post.account, AccountState::needs(&post.body)));
    let needs: Vec<_> = needs.filter(|(_, needs)| *needs != Needs::Nothing).collect();
    for account in &accounts {
        // What is read now is newer.
        drop(shelf.take(account));
    }
    let mut transaction = store.begin().await?;
    let books = S::books(&mut transaction, &accounts, &needs).await?;
    // After the accounts were locked: what is not found now can be posted by nobody else.
    let keys: Vec<_> = posts().map(|post| (post.account, post.key)).collect();
    let mut group = Group::new(books, S::by_keys(&mut transaction, &keys).await?);
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        match group.post(batch) {
            Err(LedgerError::Backend(error)) => return Err(error),
            outcome => outcomes.push(outcome),
        }
    }
    if let Some(writes) = group.writes()? {
        S::write(transaction, writes).await?;
    }
    shelf.put(group.into_books());
    Ok(outcomes)
}

/// Somewhere between nothing and twice the last one, so that those who collided do not do so again.
fn pause(tries: u32) -> Duration {
    let most = PAUSE.saturating_mul(1 << tries.min(8));
    let random = RandomState::new().build_hasher().finish();
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random % micros.max(1))
}

/// The same failure for another caller.
fn same(error: &Arc<BackendError>) -> BackendError {
    let (during, cause) = ("posting entries", Arc::clone(error));
    match error.kind() {
        FailureKind::Unavailable => BackendError::unavailable(during, cause),
        FailureKind::Corrupt => BackendError::corrupt(during, cause),
        _ => BackendError::permanent(during, cause),
    }
}
