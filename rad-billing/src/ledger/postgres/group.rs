//! Posting a group of batches in one transaction: each batch is posted whole or refused by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rad_core::error::BackendError;
use rad_core::id::AccountId;
use rad_core::ledger::{LedgerError, Post, Posted};
use rad_core::revenue::{AccountState, EntryKey, Needs};
use sqlx::PgConnection;

use super::super::book::Book;
use super::loading;
use super::writing::Writes;

/// What became of a batch.
pub(super) type Outcome = Result<Vec<Posted>, LedgerError>;

/// Posts batches in the order they come, and gives the outcome of each.
///
/// # Errors
/// Where the database failed: then nothing of any batch is posted once the transaction is rolled back.
pub(super) async fn post_group(
    connection: &mut PgConnection,
    batches: &[&[Post]],
) -> Result<Vec<Outcome>, BackendError> {
    let mut group = Group::load(connection, batches).await?;
    let mut writes = Writes::default();
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        let outcome = group.post(batch);
        if let Err(LedgerError::Backend(error)) = outcome {
            return Err(error);
        }
        for posted in outcome.iter().flatten().filter(|posted| !posted.repeated) {
            writes.append(posted)?;
            group.touched.insert(posted.entry.account);
        }
        outcomes.push(outcome);
    }
    for account in &group.touched {
        if let Some(book) = group.books.get(account) {
            writes.save(book)?;
        }
    }
    if !group.touched.is_empty() {
        writes.execute(connection).await?;
    }
    Ok(outcomes)
}

/// The accounts of a group while it is posted.
struct Group {
    books: BTreeMap<AccountId, Book>,
    /// The entries under the keys of the group, those it posted included.
    known: HashMap<(AccountId, EntryKey), Posted>,
    touched: BTreeSet<AccountId>,
}

impl Group {
    async fn load(connection: &mut PgConnection, batches: &[&[Post]]) -> Result<Self, BackendError> {
        let posts = || batches.iter().copied().flatten();
        let accounts: BTreeSet<AccountId> = posts().map(|post| post.account).collect();
        let needs = posts().map(|post| (post.account, AccountState::needs(&post.body)));
        let needs: Vec<_> = needs.filter(|(_, needs)| *needs != Needs::Nothing).collect();
        let books = loading::books(connection, &accounts, &needs, true).await?;
        // After the heads were locked: what is not found now can be posted by nobody else.
        let keys: Vec<_> = posts().map(|post| (post.account, post.key)).collect();
        let known = loading::by_keys(connection, &keys).await?.into_iter();
        let known = known.map(|posted| ((posted.entry.account, posted.entry.key), posted)).collect();
        Ok(Self { books, known, touched: BTreeSet::new() })
    }

    /// Posts a batch to the books, all of it or nothing.
    fn post(&mut self, batch: &[Post]) -> Outcome {
        // One entry is all or nothing by itself: no copy of its book is needed.
        let saved: Vec<(AccountId, Book)> = match batch {
            [_] => Vec::new(),
            _ => {
                let accounts: BTreeSet<AccountId> = batch.iter().map(|post| post.account).collect();
                accounts
                    .into_iter()
                    .filter_map(|account| Some((account, self.books.get(&account)?.clone())))
                    .collect()
            }
        };
        let mut posted = Vec::with_capacity(batch.len());
        for (index, post) in batch.iter().enumerate() {
            match self.post_one(index, post) {
                Ok(one) => posted.push(one),
                Err(error) => {
                    self.books.extend(saved);
                    for one in posted.iter().filter(|one| !one.repeated) {
                        self.known.remove(&(one.entry.account, one.entry.key));
                    }
                    return Err(error);
                }
            }
        }
        Ok(posted)
    }

    fn post_one(&mut self, index: usize, post: &Post) -> Result<Posted, LedgerError> {
        if let Some(posted) = self.known.get(&(post.account, post.key)) {
            if !post.is_content_of(&posted.entry) {
                return Err(LedgerError::KeyReused { index, key: post.key });
            }
            return Ok(Posted { repeated: true, ..posted.clone() });
        }
        let book = self.books.get_mut(&post.account).ok_or_else(|| {
            BackendError::permanent("posting an entry", "the book of its account was not loaded")
        })?;
        let posted = book.apply(index, post)?;
        self.known.insert((post.account, post.key), posted.clone());
        Ok(posted)
    }
}
