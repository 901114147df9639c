//! Posting a group: from the books that were kept, and, for what that does not settle, from accounts that are locked and read.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rad_core::error::{BackendError, FailureKind};
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post};
use rad_core::revenue::{AccountState, Needs};

use super::catching_up::catch_up;
use super::group::Group;
use super::measuring::{self, Way};
use super::{Outcome, Store};
use crate::database::is_conflict;
use crate::ledger::book::Book;

/// How often a group is tried again that met another writer, and the longest pause before the first of them. Pauses
/// double.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(4);

/// The books of accounts.
pub(super) type Books = BTreeMap<AccountId, Book>;

/// What became of a group.
#[derive(Debug)]
pub(super) struct Posted {
    /// In the order of the batches.
    pub(super) outcomes: Vec<Outcome>,
    /// Books that are as the last write left them.
    pub(super) books: Books,
    /// Whether a kept book was out of date.
    pub(super) met_other_writer: bool,
}

/// Posts batches, given the books that were kept of their accounts, and whether they are likely to be up to date.
pub(super) async fn post_all(
    store: &impl Store,
    kept: Books,
    trusts_books: bool,
    batches: &[&[Post]],
) -> Posted {
    let mut tried = match trusts_books {
        true => from_kept(store, kept, batches).await,
        false => Tried { books: kept, ..Tried::unsettled(batches.len(), false) },
    };
    let open: Vec<usize> = (0..batches.len()).filter(|place| tried.outcomes[*place].is_none()).collect();
    if !open.is_empty() {
        let rest: Vec<&[Post]> = open.iter().map(|place| batches[*place]).collect();
        let outcomes = post_locked(store, &mut tried.books, &rest).await;
        for (place, outcome) in open.into_iter().zip(outcomes) {
            tried.outcomes[place] = Some(outcome);
        }
    }
    let Tried { outcomes, books, met_other_writer } = tried;
    Posted { outcomes: outcomes.into_iter().flatten().collect(), books, met_other_writer }
}

/// What posting from kept books came to.
struct Tried {
    /// None for batches whose books were not there, and for what is refused or failed because a book may be out of date.
    outcomes: Vec<Option<Outcome>>,
    books: Books,
    met_other_writer: bool,
}

impl Tried {
    fn unsettled(batches: usize, met_other_writer: bool) -> Self {
        let outcomes = (0..batches).map(|_| None).collect();
        Self { outcomes, books: Books::new(), met_other_writer }
    }
}

/// Posts the batches whose books were kept, in one write.
async fn from_kept<S: Store>(store: &S, kept: Books, batches: &[&[Post]]) -> Tried {
    let is_ready = |batch: &[Post]| {
        batch
            .iter()
            .all(|post| kept.get(&post.account).is_some_and(|book| book.has(AccountState::needs(&post.body))))
    };
    let ready: Vec<bool> = batches.iter().map(|batch| is_ready(batch)).collect();
    if !ready.contains(&true) {
        return Tried { books: kept, ..Tried::unsettled(batches.len(), false) };
    }
    measuring::way(S::NAME, Way::Kept);
    let mut group = Group::new(kept, Vec::new());
    let mut outcomes = Vec::with_capacity(batches.len());
    for (batch, ready) in batches.iter().zip(ready) {
        outcomes.push(match ready.then(|| group.post(batch)) {
            // The books are not sound: what was applied to them so far is not either.
            Some(Err(LedgerError::Backend(_))) => return Tried::unsettled(batches.len(), false),
            outcome => outcome.and_then(Result::ok).map(Ok),
        });
    }
    let written = match group.writes() {
        Ok(None) => Ok(()),
        Ok(Some(writes)) => store.write_alone(writes).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => Tried { outcomes, books: group.into_books(), met_other_writer: false },
        Err(error) if is_conflict(&error) => {
            tracing::debug!("a book was out of date: reading it again");
            measuring::conflict(S::NAME);
            Tried::unsettled(batches.len(), true)
        }
        Err(error) if error.kind() == FailureKind::Unavailable => {
            let error = Arc::new(error);
            let failed = |outcome: Option<Outcome>| outcome.map(|_| Err(same(&error).into()));
            let outcomes = outcomes.into_iter().map(failed).collect();
            Tried { outcomes, books: Books::new(), met_other_writer: false }
        }
        // Perhaps one batch's alone.
        Err(_) => Tried::unsettled(batches.len(), false),
    }
}

/// Posts batches together; where that fails for a reason that may be one batch's alone, one by one.
async fn post_locked(store: &impl Store, books: &mut Books, batches: &[&[Post]]) -> Vec<Outcome> {
    match post_together(store, books, batches).await {
        Ok(outcomes) => outcomes,
        Err(error) if batches.len() > 1 && error.kind() != FailureKind::Unavailable => {
            let mut outcomes = Vec::with_capacity(batches.len());
            for batch in batches {
                outcomes.extend(match post_together(store, books, &[batch]).await {
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
async fn post_together<S: Store>(
    store: &S,
    books: &mut Books,
    batches: &[&[Post]],
) -> Result<Vec<Outcome>, BackendError> {
    let mut tries = 0;
    measuring::way(S::NAME, Way::Locked);
    loop {
        match try_group(store, books, batches).await {
            Err(error) if is_conflict(&error) && tries < TRIES => {
                tries += 1;
                tracing::debug!(tries, "another writer was in between: posting again");
                measuring::conflict(S::NAME);
                tokio::time::sleep(pause(tries)).await;
            }
            result => return result,
        }
    }
}

async fn try_group<S: Store>(
    store: &S,
    kept: &mut Books,
    batches: &[&[Post]],
) -> Result<Vec<Outcome>, BackendError> {
    let posts = || batches.iter().copied().flatten();
    let accounts: BTreeSet<AccountId> = posts().map(|post| post.account).collect();
    let needs = posts().map(|post| (post.account, AccountState::needs(&post.body)));
    let needs: Vec<_> = needs.filter(|(_, needs)| *needs != Needs::Nothing).collect();
    let mut transaction = store.begin().await?;
    let heads = S::heads(&mut transaction, &accounts).await?.into_iter();
    let mut heads = heads.map(|head| Ok((head.owner()?, head))).collect::<Result<_, BackendError>>()?;
    let mut books = catch_up::<S>(&mut transaction, kept, &heads, &needs).await?;
    heads.retain(|account, _| !books.contains_key(account));
    if !heads.is_empty() {
        books.extend(S::books(&mut transaction, &heads, &needs).await?);
    }
    for account in accounts {
        books.entry(account).or_insert_with(|| Book::empty(account));
    }
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
    match group.writes()? {
        Some(writes) => S::write(transaction, writes).await?,
        None => S::end(transaction).await?,
    }
    kept.extend(group.into_books());
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
